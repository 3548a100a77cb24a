import {
  claimAnswerSchema,
  chainHash,
  chainStart,
  encodeEntry,
  encodeModule,
  pack,
  unpack,
  type ClaimedJob,
  type JournalEntry,
  type ModuleFile,
} from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { z } from 'zod';
import { createApi, type Api } from '../../src/api/api.ts';
import type { Caller } from '../../src/api/caller.ts';
import { openCore, type Core, type CoreOptions } from '../../src/core.ts';
import type { Logger } from '../../src/logger.ts';
import { systemRandom } from '../../src/system-random.ts';
import { openDirectStore } from '../fixtures/direct-store.ts';
import { StillClock } from '../fixtures/still-clock.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** How a request differs from an operator's JSON. */
export interface CallOptions {
  readonly body?: unknown;
  readonly caller?: Caller;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What came back. */
export interface Called {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- the tests look into answers of every shape
  readonly body: any;
  readonly headers: Headers;
}

/** One field of each element of an answer. */
export const column = (rows: unknown, name: string): readonly unknown[] =>
  z
    .array(z.looseObject({}))
    .parse(rows)
    .map((row) => row[name]);

export const operator: Caller = { kind: 'operator' };
export const peer = (node: string): Caller => ({ kind: 'peer', node });

/** A module file with the given workflows. */
export const moduleFile = (workflows: readonly string[] = ['main'], code = ''): Uint8Array =>
  encodeModule({
    kind: 'javascript',
    runtime: 'test',
    workflows,
    code: new TextEncoder().encode(code),
    sourceMap: new Uint8Array(),
  });

/** An API over a real store, with a clock that stands still. */
export class TestPlane implements AsyncDisposable {
  readonly folder: TemporaryFolder = new TemporaryFolder();
  readonly clock: StillClock = new StillClock();
  readonly logged: unknown[] = [];
  readonly #options: Partial<CoreOptions>;
  #core: Core | undefined;
  #api: Api | undefined;

  private constructor(options: Partial<CoreOptions>) {
    this.#options = options;
  }

  static async open(options: Partial<CoreOptions> = {}): Promise<TestPlane> {
    const plane = new TestPlane(options);
    await plane.#start();
    return plane;
  }

  get core(): Core {
    assert.ok(this.#core);
    return this.#core;
  }

  get api(): Api {
    assert.ok(this.#api);
    return this.#api;
  }

  /** Stops, and starts again on the same data. */
  async restart(): Promise<void> {
    await this.core.stop();
    await this.#start();
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Called> {
    const response = await this.open(method, path, options);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const type = response.headers.get('content-type');
    const body: unknown =
      type === 'application/json'
        ? JSON.parse(new TextDecoder().decode(bytes))
        : type === 'application/msgpack'
          ? unpack(bytes)
          : bytes;
    return { status: response.status, body, headers: response.headers };
  }

  /** The response as it comes. */
  open(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const { body, caller = operator, headers = {}, signal } = options;
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
    const request = new Request(`http://test${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': type }), ...headers },
      ...(body !== undefined && { body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    return this.api.fetch(request, caller);
  }

  /** A request and an answer in MessagePack, as workers send them. */
  packed(path: string, body: unknown, caller: Caller = operator): Promise<Called> {
    const headers = { 'content-type': 'application/msgpack', accept: 'application/msgpack' };
    return this.call('POST', path, { body: pack(body), headers, caller });
  }

  async deploy(name = 'crawler', file: Uint8Array = moduleFile()): Promise<void> {
    assert.equal((await this.call('POST', `/modules?name=${name}&version=1`, { body: file })).status, 200);
  }

  /** Deploys, publishes and claims one workflow job for the worker `w1`. */
  async claimOne(id = 'a'): Promise<ClaimedJob> {
    await this.deploy();
    await this.call('POST', '/queue/publish', { body: { job_id: id, workflow: 'crawler', input: { n: 1 } } });
    const answer = await this.call('POST', '/peer/claim', { body: { worker: 'w1', incarnation: 'i1', capacity: 1 } });
    const [job] = claimAnswerSchema.parse(answer.body).jobs;
    assert.ok(job);
    return job;
  }

  /** Resolves once a change after `after` is committed. */
  async changed(after: number): Promise<void> {
    await this.core.feed.changed(after, { waitMs: 60_000, signal: new AbortController().signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core.stop();
    this.folder[Symbol.dispose]();
  }

  async #start(): Promise<void> {
    const logger: Logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (fields) => void this.logged.push(fields),
    };
    this.#core = await openCore({
      clock: this.clock,
      random: systemRandom,
      admit: (file: ModuleFile) => Promise.resolve({ workflows: file.workflows }),
      openStore: (onEffects) => Promise.resolve(openDirectStore(join(this.folder.path, 'control.db'), onEffects)),
      ...this.#options,
    });
    this.#api = createApi({ core: this.#core, logger });
  }
}

/** The first entry of a first attempt's journal. */
export const startedEntry = (job: string): JournalEntry => ({
  kind: 'started',
  at: 1_000,
  job,
  attempt: 1,
  module: 'm',
  runtime: 'r',
  workflow: 'main',
  input: '1',
  seed: new Uint8Array(32),
});

/** A batch of entries that begins an attempt's journal. */
export const firstBatch = (
  job: string,
  entries: readonly JournalEntry[],
): { firstSeq: number; count: number; bytes: Uint8Array; hash: Uint8Array } => {
  const body = { firstSeq: 0, count: entries.length, bytes: new Uint8Array(Buffer.concat(entries.map(encodeEntry))) };
  return { ...body, hash: chainHash(chainStart(job, 1), body) };
};
