/** What metering costs: programs that only compute, as they were built and as the engine runs them, in turns. */
import { meteredInstance } from '@mvm-ci/engine';
import { buildComputePrograms } from '../guest/modules.ts';
import type { Figure } from '../report.ts';
import type { BenchContext } from '../run-bench.ts';
import type { EngineSize } from './size.ts';

/** Three programs, and how often each repeats its work so that it takes some milliseconds; the call-heavy one stands apart. */
const programs = { checksum: 2, multiply: 3, sort: 1 } as const;
const callHeavy = 'calls';
const callRounds = 20;
/** Of so many measurements the best tenth counts: the rest has what else the machine does in it. */
const countedShare = 0.1;

type Program = (rounds: number) => number;
const isProgram = (value: unknown): value is Program => typeof value === 'function';

/** Ratios of the times with metering to those without. */
export const measureMetering = async (
  { say, signal }: BenchContext,
  { meteredTurns }: EngineSize,
): Promise<readonly Figure[]> => {
  say('programs that only compute');
  const wasm = await buildComputePrograms();
  const bare = new WebAssembly.Instance(new WebAssembly.Module(wasm), {}).exports;
  const metered = meteredInstance(wasm, () => performance.now());
  const ratioOf = (name: string, rounds: number): number => {
    signal.throwIfAborted();
    const [plain, counted] = [bare[name], metered[name]];
    if (!isProgram(plain) || !isProgram(counted)) throw new Error(`the module has no program ${name}`);
    if (plain(rounds) !== counted(rounds)) throw new Error(`${name} came to another result with metering`);
    const times = Array.from({ length: meteredTurns }, () => [msOf(plain, rounds), msOf(counted, rounds)] as const);
    return best(times.map(([, ms]) => ms)) / best(times.map(([ms]) => ms));
  };
  const ratios = Object.entries(programs).map(([name, rounds]) => [name, ratioOf(name, rounds)] as const);
  return [
    {
      name: 'meter_overhead_ratio',
      value: Math.max(...ratios.map(([, ratio]) => ratio)),
      what: `time with metering to time without, the worst of three programs: ${ratios.map(([name, ratio]) => `${name} ${ratio.toFixed(2)}`).join(', ')}`,
    },
    {
      name: 'meter_overhead_calls_ratio',
      value: ratioOf(callHeavy, callRounds),
      what: 'the same for a program that does hardly more than call itself',
    },
  ];
};

const msOf = (program: Program, rounds: number): number => {
  const startMs = performance.now();
  program(rounds);
  return performance.now() - startMs;
};

const best = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * countedShare)] ?? Number.NaN;
