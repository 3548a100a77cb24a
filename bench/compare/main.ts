/** The queue beside BullMQ, graphile-worker and pg-boss, all in one run: drain, publish, and the way of a job to an idle worker. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Load } from '../load.ts';
import type { Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { addVerdicts, type Verdict } from '../tally.ts';
import { measureSystem, type SystemFound } from './measure-system.ts';
import { areInstalled, installPeers, PeerPackages } from './peer-packages.ts';
import { compareSizes } from './size.ts';
import type { QueueSystem } from './system.ts';
import { systems } from './systems.ts';

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, folder, signal, say } = context;
  const size = compareSizes[load];
  const taking = await systemsHere(load, signal);
  say('the disk alone');
  const syncsAtStart = measureSyncs(folder, size.syncMs);
  const found: SystemFound[] = [];
  for (const system of taking) {
    const data = join(folder, system.name);
    await mkdir(data);
    found.push(await measureSystem(system, { size, folder: data, packages: new PeerPackages(), signal, say }));
  }
  const none: Verdict = { lost: 0, duplicated: 0 };
  return {
    bench: 'compare',
    metrics: found.flatMap(({ figures }) => figures),
    bounds: [syncBound(syncsAtStart, measureSyncs(folder, size.syncMs))],
    ...found.map(({ verdict }) => verdict).reduce(addVerdicts, none),
  };
};

/** The systems that this machine can run; says of each of the others why it is left out. */
const systemsHere = async (load: Load, signal: AbortSignal): Promise<readonly QueueSystem[]> => {
  const here: QueueSystem[] = [];
  for (const system of systems) {
    const reason = await whyNot(system, load, signal);
    if (reason === undefined) here.push(system);
    else console.error(`${system.name} is left out: ${reason}`);
  }
  return here;
};

const whyNot = async (system: QueueSystem, load: Load, signal: AbortSignal): Promise<string | undefined> => {
  if (!system.isPeer) return undefined;
  const program = system.missingProgram();
  if (program !== undefined) return `there is no program ${program} here`;
  // The smallest load makes do with what there is.
  if (load === 'smallest') return areInstalled() ? undefined : 'its packages are not installed yet';
  try {
    await installPeers((text) => console.error(text), signal);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `npm could not install its packages: ${String(error)}`;
  }
};

await runBench(measure);
