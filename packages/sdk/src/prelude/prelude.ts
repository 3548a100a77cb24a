/**
 * The prelude: makes `globalThis` what a JavaScript programmer expects, with every source of time, randomness and
 * network bound to the step machine. Installed before the author's first line runs.
 *
 * Left out on purpose: `WeakRef` and `FinalizationRegistry` (they show when memory is collected, which a replay in
 * another build of the runtime need not repeat) and `SharedArrayBuffer`, `Atomics` (there are no threads).
 */
import { fetch } from '../http/fetch.ts';
import { Headers } from '../http/headers.ts';
import { Request } from '../http/request.ts';
import { Response } from '../http/response.ts';
import { limits } from '../limits.ts';
import type { StepMachine } from '../step-machine.ts';
import { URLSearchParams } from '../url/url-search-params.ts';
import { URL } from '../url/url.ts';
import { AbortController, AbortSignal, useTimer } from './abort.ts';
import { atob, btoa } from './base64.ts';
import { installDate, makePerformance } from './clock.ts';
import { makeConsole, type WriteLine } from './console.ts';
import { CustomEvent, Event, EventTarget, reportListenerErrors } from './event-target.ts';
import { inspect } from './inspect.ts';
import { Randomness } from './random.ts';
import { structuredClone } from './structured-clone.ts';
import { TextDecoder, TextEncoder } from './text-codec.ts';
import { makeTimers } from './timer.ts';

const removed = ['WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics'] as const;

/** What `using` and `await using` look for: esbuild rewrites the statements, but a class of the author's must be able to name its methods. */
const disposals = ['dispose', 'asyncDispose'] as const;

/** Replaces the globals, once per guest. */
export const installPrelude = (machine: StepMachine): void => {
  const now = (): number => machine.now;
  const write: WriteLine = (level, text) =>
    machine.note({ type: 'log', level, text: text.slice(0, limits.logCharsMax) });
  const timers = makeTimers(machine);
  const randomness = new Randomness();
  let origin = 0;
  machine.onStart((start, startedAt) => {
    origin = startedAt;
    randomness.start(start.seed);
  });
  useTimer((callback, ms) => void timers.setTimeout(callback, ms));
  reportListenerErrors((error) => write('error', `Uncaught in an event listener: ${inspect(error)}`));
  installDate(globalThis, now);
  for (const name of disposals)
    if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
  define(Math, { random: randomness.random });
  define(globalThis, {
    ...timers,
    fetch,
    Headers,
    Request,
    Response,
    URL,
    URLSearchParams,
    AbortController,
    AbortSignal,
    Event,
    CustomEvent,
    EventTarget,
    TextDecoder,
    TextEncoder,
    atob,
    btoa,
    structuredClone,
    console: makeConsole(write, now),
    crypto: randomness.crypto,
    performance: makePerformance(now, () => origin),
    self: globalThis,
  });
  for (const name of removed) Reflect.deleteProperty(globalThis, name);
};

/** Makes `members` properties of `target` that are written to and left out of loops, as the standards' own. */
export const define = (target: object, members: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  }
};
