/** The engine without its disk: replay, live effects, resuming, starting warm and cold, what many suspended guests weigh, what metering costs. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openBenchEngine } from '../bench-engine.ts';
import { buildCoreModule, buildScriptModule, type BenchModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';
import { percentile } from '../percentile.ts';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { bareCompileMs } from './bare-guest.ts';
import { measureEffects, measureSnapshot } from './effects.ts';
import { largeModule, variantOf } from './large-module.ts';
import { measureMetering } from './metering.ts';
import { bestOf, type Figures } from './rounds.ts';
import { secondsOf } from './single-run.ts';
import { engineSizes, type EngineSize } from './size.ts';

const syncMs = 300;
const mib = 1_048_576;

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, folder } = context;
  const size = engineSizes[load];
  const modules = { core: await buildCoreModule(), script: await buildScriptModule() };
  const syncsAtStart = measureSyncs(folder, syncMs);
  const effects = await measureEffects(context, size, modules.core);
  const snapshot = await measureSnapshot(context, size, modules.script);
  const starts = await measureStarts(context, size, modules);
  const cold = await measureCold(context, size, modules);
  const hot = await measureHot(context, size, modules.core);
  const metering = await measureMetering(context, size);
  return {
    bench: 'engine',
    metrics: [...effects.metrics, ...snapshot, ...starts, ...cold.metrics, hot.figure, ...metering],
    bounds: [...effects.bounds, ...cold.bounds, syncBound(syncsAtStart, measureSyncs(folder, syncMs))],
    lost: hot.lost,
    duplicated: 0,
  };
};

interface Modules {
  readonly core: BenchModule;
  readonly script: BenchModule;
}

const measureStarts = async (
  { say, signal }: BenchContext,
  size: EngineSize,
  modules: Modules,
): Promise<readonly Figure[]> => {
  await using engine = await openBenchEngine(Object.values(modules));
  const measureOne = async (module: BenchModule): Promise<number> => {
    say(`starts of ${module.name}`);
    const waitsMs: number[] = [];
    for (let start = 0; start < size.starts; start += 1) {
      signal.throwIfAborted();
      const request = {
        job: `${module.name}-${start}`,
        module: module.hash,
        workflow: workflows.nothing,
        input: 'null',
      };
      waitsMs.push((await secondsOf(engine, request)) * 1_000);
    }
    return percentile(waitsMs.slice(size.starts / 2), 0.5);
  };
  const what =
    'one execution that ends in its first step, from the request to its end, in a thread that has run the module before: half within';
  return [
    { name: 'warm_core_ms', value: await measureOne(modules.core), what: `core guest: ${what}` },
    { name: 'warm_ts_ms', value: await measureOne(modules.script), what: `TypeScript guest: ${what}` },
  ];
};

const measureCold = async (
  { say, signal }: BenchContext,
  size: EngineSize,
  { core, script }: Modules,
): Promise<Figures> => {
  say(`modules of ${size.moduleBytes} bytes, never seen before`);
  const large = Array.from({ length: size.modules }, (_, variant) => largeModule(core, size.moduleBytes, variant + 1));
  const scripts = Array.from({ length: size.modules }, (_, variant) => variantOf(script, variant));
  await using engine = await openBenchEngine([core, script, ...large, ...scripts]);
  const startMs = (module: BenchModule): Promise<number> =>
    secondsOf(engine, { job: module.name, module: module.hash, workflow: workflows.nothing, input: 'null' }).then(
      (seconds) => seconds * 1_000,
    );
  // The threads, and the code of the script runtime.
  for (let warm = 0; warm < size.starts; warm += 1) await startMs(warm % 2 === 0 ? core : script);
  const perMib = mib / size.moduleBytes;
  const coldMs = await bestOf(size.modules, (variant) => startMs(large[variant] ?? core));
  signal.throwIfAborted();
  const scriptMs = await bestOf(size.modules, (variant) => startMs(scripts[variant] ?? script));
  const bareMs = await bestOf(size.modules, () => bareCompileMs(large[0] ?? core));
  return {
    metrics: [
      {
        name: 'cold_ms_per_mib',
        value: coldMs * perMib,
        what: 'the first execution of a core module that the engine has not seen: checked, rewritten, compiled, started',
        bound: 'bare_compile_ms_per_mib',
      },
      {
        name: 'cold_ts_ms',
        value: scriptMs,
        what: `the first execution of a TypeScript bundle of ${Math.round(script.file.length / 1_024)} KiB with its source map`,
      },
    ],
    bounds: [
      {
        name: 'bare_compile_ms_per_mib',
        value: bareMs * perMib,
        what: 'the same WebAssembly, compiled and instantiated by V8 alone',
      },
    ],
  };
};

const measureHot = async (
  { folder, say, signal }: BenchContext,
  size: EngineSize,
  module: BenchModule,
): Promise<{ readonly figure: Figure; readonly lost: number }> => {
  say(`${size.hot} suspended guests`);
  const path = fileURLToPath(new URL('./hot-process.ts', import.meta.url));
  const file = join(folder, 'hot.mvm');
  await writeFile(file, module.file);
  const { stdout } = await promisify(execFile)(process.execPath, [path, String(size.hot), file], { signal });
  const [rssMib = Number.NaN, completed = 0] = stdout.split(' ').map(Number);
  return {
    figure: {
      name: 'hot_5k_rss_mib',
      value: rssMib,
      what: `resident memory of a process in which ${size.hot} core guests wait for an answer`,
    },
    lost: size.hot - completed,
  };
};

await runBench(measure);
