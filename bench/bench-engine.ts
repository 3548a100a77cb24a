/** An engine of the bench's own process, for modules that the bench built, with effects that do nothing, asynchronously. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  openEngine,
  systemClock,
  systemRandom,
  type EffectPerformer,
  type Engine,
  type Replayer,
} from '@mvm-ci/engine';
import { mvmError, type FetchResult } from '@mvm-ci/protocol';
import type { BenchModule } from './guest/modules.ts';

/** What every effect is answered with. */
export const emptyResponse: FetchResult = {
  status: 204,
  statusText: 'No Content',
  url: 'http://effect.invalid/',
  redirected: false,
  headers: [],
  body: new Uint8Array(0),
};

/** Answers every request after one turn of the event loop. */
const emptyPerformer: EffectPerformer = {
  fetch: () => nextTurn({ type: 'fetched', response: emptyResponse }),
};

/** Opens an engine. @param performer @default one that answers every request after one turn of the event loop */
export const openBenchEngine = (
  modules: readonly BenchModule[],
  performer: EffectPerformer = emptyPerformer,
): Promise<Engine & Replayer> =>
  openEngine({
    modules: (hash) => Promise.resolve(fileOf(modules, hash)),
    clock: systemClock,
    random: systemRandom,
    performer,
  });

const fileOf = (modules: readonly BenchModule[], hash: string): Uint8Array => {
  const module = modules.find((candidate) => candidate.hash === hash);
  if (module === undefined) throw mvmError('MODULE_NOT_FOUND', `the bench has no module ${hash}`);
  return module.file;
};
