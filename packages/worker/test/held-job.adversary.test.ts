/**
 * Interruptions, lost requests, slow answers, lost leases and wishes, in whatever order: a held job goes on from its
 * journal, and no two of its runs ever extend it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import fc from 'fast-check';
import { startWorker, type Worker } from '../src/worker.ts';
import { logEntry, textsOf } from './fixtures/entry.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';
import { ScriptEngine, type ScriptedRun } from './fixtures/script-engine.ts';
import { ScriptHost } from './fixtures/script-host.ts';

const effects = 4;
const effectMs = 40;
const job = 'a';
const gone = mvmError('CONNECTION_LOST', 'the engine is gone');
const lost = mvmError('CONNECTION_LOST', 'the request was lost');

/** What happens next. */
type Turn =
  | { readonly type: 'interrupt' | 'busy' | 'free' | 'expire' | 'cancel' | 'answer' }
  | { readonly type: 'advance'; readonly ms: number }
  /** The next request on this path is lost, before it came or after it was applied, or hangs until `answer`. */
  | { readonly type: 'fault'; readonly path: string; readonly how: 'before' | 'after' | 'slow' };

const turns: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 20, 50, 100, 3_000).map((ms): Turn => ({ type: 'advance', ms })) },
  { weight: 5, arbitrary: fc.constant<Turn>({ type: 'interrupt' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('fault' as const),
      path: fc.constantFrom('/peer/append', '/peer/finish', '/peer/journal', '/peer/heartbeat'),
      how: fc.constantFrom('before' as const, 'after' as const, 'slow' as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Turn>({ type: 'answer' }) },
  { weight: 1, arbitrary: fc.constantFrom<Turn>({ type: 'busy' }, { type: 'free' }, { type: 'expire' }) },
  { weight: 1, arbitrary: fc.constant<Turn>({ type: 'cancel' }) },
);

describe('HeldJob, against an adversary', () => {
  it('ends every job, from one journal, with no effect after its answer is durable', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turns, { minLength: 1, maxLength: 50 }), async (script) => {
        const stage = await Stage.open();
        try {
          for (const turn of script) await stage.play(turn);
          await stage.end();
        } finally {
          await stage.close();
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A worker with one job, and an engine whose runs do one effect after another. */
class Stage {
  readonly #cluster = new MemoryCluster();
  readonly #clock = new FakeClock();
  readonly #engine = new ScriptEngine();
  readonly #host = new ScriptHost(this.#engine);
  readonly #logger = new KeptLogger();
  readonly #faults: (Turn & { readonly type: 'fault' })[] = [];
  readonly #slow = new Set<PromiseWithResolvers<undefined>>();
  readonly #problems: string[] = [];
  #worker: Worker | undefined;
  #driven = 0;
  /** Effects that are being done. */
  #effects = 0;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    stage.#cluster.fault = (path) => stage.#faultOf(path);
    stage.#worker = await startWorker({
      peer: stage.#cluster,
      openHost: () => stage.#host,
      clock: stage.#clock,
      random: fixedRandom,
      logger: stage.#logger,
      slots: 1,
    });
    stage.#cluster.publish(job);
    await stage.#advance(0);
    return stage;
  }

  async play(turn: Turn): Promise<void> {
    switch (turn.type) {
      case 'interrupt':
        this.#host.interrupt(this.#host.runs - 1, gone);
        break;
      case 'busy':
        this.#host.refusal = mvmError('UNAVAILABLE', 'no engine');
        break;
      case 'free':
        this.#host.refusal = undefined;
        break;
      case 'expire':
        if (!this.#cluster.stored(job).outcome) this.#cluster.expire(job);
        break;
      case 'cancel':
        this.#cluster.stored(job).cancelReason = 'enough';
        break;
      case 'answer':
        this.#answer();
        break;
      case 'fault':
        this.#faults.push(turn);
        break;
      case 'advance':
        return this.#advance(turn.ms);
    }
    await this.#advance(0);
  }

  /** Nothing disturbs any more: all must come to its end. */
  async end(): Promise<void> {
    this.#faults.length = 0;
    this.#host.refusal = undefined;
    this.#answer();
    for (let count = 0; count < 100 && !this.#isOver; count += 1) await this.#advance(2_000);
    const { outcome, finishes } = this.#cluster.stored(job);
    assert.deepEqual(this.#problems, []);
    assert.ok(this.#isOver, 'the job does not end');
    assert.equal(this.#worker?.state.ended.abandoned, 0, JSON.stringify(this.#logger.lines.slice(-5)));
    assert.ok(finishes >= 1);
    const texts = textsOf(this.#cluster.entries(job)).map(withoutRun);
    assert.equal(new Set(texts).size, texts.length, texts.join(' '));
    if (outcome?.type === 'completed') assert.deepEqual(texts, [...expected, 'end']);
  }

  async close(): Promise<void> {
    this.#answer();
    await this.#worker?.stop();
    await settled();
    assert.equal(this.#clock.pending, this.#effects, 'a timer is left');
  }

  get #isOver(): boolean {
    return this.#cluster.stored(job).outcome !== undefined && this.#worker?.state.held === 0;
  }

  #answer(): void {
    for (const { resolve } of this.#slow) resolve(undefined);
    this.#slow.clear();
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (; this.#driven < this.#engine.runs.length; this.#driven += 1) {
      const run = this.#engine.runs[this.#driven];
      if (run) void this.#drive(run);
    }
    await settled();
  }

  /** One effect after another, each with an entry before it and one after it. */
  async #drive(run: ScriptedRun): Promise<void> {
    const stored = textsOf(run.request.journal);
    // Runs write different things, so that two of them at one place of a journal are seen.
    const by = ` in run ${this.#engine.runs.indexOf(run)}`;
    const has = (text: string): boolean => stored.some((line) => line.startsWith(text));
    try {
      for (let effect = 0; effect < effects; effect += 1) {
        if (has(`did ${effect}`)) continue;
        const intent = has(`will ${effect}`) ? [] : [`will ${effect}${by}`];
        if (!(await this.#append(run, intent))) return;
        this.#perform(effect);
        await this.#pause();
        if (run.wish !== 'run') return;
        await this.#append(run, [`did ${effect}${by}`]);
      }
      await run.finish();
    } catch {
      // The run is over: its journal was lost.
    }
  }

  async #append({ ports }: ScriptedRun, texts: readonly string[]): Promise<boolean> {
    await ports.sink.append(texts.map(logEntry));
    return ports.mayStartEffect(new AbortController().signal);
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#effects += 1;
    this.#clock.after(effectMs, () => {
      this.#effects -= 1;
      resolve();
    });
    return promise;
  }

  #perform(effect: number): void {
    const stored = textsOf(this.#cluster.entries(job)).map(withoutRun);
    if (!stored.includes(`will ${effect}`)) this.#problems.push(`effect ${effect} before its intent was durable`);
    if (stored.includes(`did ${effect}`)) this.#problems.push(`effect ${effect} after its answer was durable`);
  }

  #faultOf(path: string): MvmError | undefined | Promise<MvmError | undefined> {
    const index = this.#faults.findIndex((fault) => path.startsWith(fault.path));
    const [fault] = index < 0 ? [] : this.#faults.splice(index, 1);
    if (!fault) return undefined;
    if (fault.how === 'before') throw lost;
    if (fault.how === 'after') return lost;
    const slow = Promise.withResolvers<undefined>();
    this.#slow.add(slow);
    return slow.promise;
  }
}

const expected = Array.from({ length: effects }, (_, effect) => [`will ${effect}`, `did ${effect}`]).flat();

const withoutRun = (text: string): string => text.replace(/ in run.*/, '');
