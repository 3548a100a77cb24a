/** Snapshots of a run in an engine server over HTTP: the holder keeps them, and the next run goes on from there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Snapshot } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import type { JournalEntry, ModuleFile } from '@mvm-ci/protocol';
import { workflowModule, type HeldAttempt } from '@mvm-ci/testkit';
import type { HostPorts } from '../../src/engine-host.ts';
import { HttpLink } from '../fixtures/link-server.ts';

const calls = 60;
/** The request at which the job is handed over. */
const heldAt = 50;

/** Each request has an answer that counts, and draws a number. */
const counting: ModuleFile = workflowModule(`
  let drawn = 0;
  for (let call = 1; call <= ${calls}; call += 1) {
    const got = await get(input + '/' + call, { method: 'POST' });
    if (got.error) return got.error;
    drawn += Math.random();
  }
  return drawn;`);

describe('snapshots over a link', { timeout: 120_000 }, () => {
  let server: Server;
  let url: string;
  let requests: string[];
  let held: PromiseWithResolvers<ServerResponse>;

  before(async () => {
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      if (request.url === `/${heldAt}`) held.resolve(response);
      else response.end('x');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  });

  beforeEach(() => {
    requests = [];
    held = Promise.withResolvers();
  });

  after(() => {
    server.close();
    server.closeAllConnections();
  });

  interface Begun {
    readonly stored: readonly JournalEntry[];
    readonly snapshot: Snapshot;
  }

  /** A run that is handed over while a request is in flight. */
  const handedOver = async (link: HttpLink): Promise<Begun> => {
    const saved: Snapshot[] = [];
    const saveSnapshot = async (snapshot: Snapshot): Promise<void> => void saved.push(snapshot);
    const { attempt, run } = link.begin('a', counting, { input: url, ports: { saveSnapshot } });
    const response = await held.promise;
    run.handOver?.();
    while (!link.said.some(({ type }) => type === 'hand-over')) await systemClock.nextTurn();
    response.end('x');
    await run.ended;
    assert.deepEqual(attempt.outcome, { type: 'released' });
    assert.equal(requests.length, heldAt);
    const [snapshot] = saved;
    assert.ok(snapshot?.head);
    assert.equal(snapshot.entries, attempt.entries.findLastIndex(({ kind }) => kind === 'intents') + 1);
    return { stored: attempt.entries, snapshot };
  };

  interface Resumed {
    readonly attempt: HeldAttempt;
    /** How often the entries behind the snapshot were needed after all. */
    readonly loads: number;
  }

  const goOn = async (link: HttpLink, { stored, snapshot }: Begun): Promise<Resumed> => {
    let loads = 0;
    const load = async (): Promise<readonly JournalEntry[]> => {
      loads += 1;
      return stored;
    };
    const leftOut = { entries: snapshot.entries, load };
    const openJournal: HostPorts['openJournal'] = async ({ mayLeaveOut = false } = {}) => {
      const opened = await attempt.openJournal();
      if (!mayLeaveOut) return { ...opened, snapshot };
      return { ...opened, entries: stored.slice(snapshot.entries), leftOut, snapshot };
    };
    const saveSnapshot = async (): Promise<void> => undefined;
    const { attempt, run } = link.begin('a', counting, { stored, input: url, ports: { openJournal, saveSnapshot } });
    await run.ended;
    assert.equal(attempt.outcome?.type, 'completed', JSON.stringify(attempt.outcome));
    assert.equal(new Set(requests).size, calls);
    assert.equal(requests.length, calls, 'each request came once');
    return { attempt, loads };
  };

  /** The entries that a holder announced last. */
  const announced = (link: HttpLink): unknown => link.said.findLast(({ type }) => type === 'ready');

  it('let a run that was handed over at rest go on with the tail of its journal', async () => {
    await using link = await HttpLink.open();
    const begun = await handedOver(link);
    const { attempt, loads } = await goOn(link, begun);
    const { entries } = begun.snapshot;
    assert.deepEqual(announced(link), { type: 'ready', entries: begun.stored.length - entries, leftOut: entries });
    assert.equal(loads, 0);
    requests = requests.slice(0, heldAt);
    await using plain = await HttpLink.open({ isPlain: true });
    const replayed = await goOn(plain, begun);
    assert.deepEqual(attempt.outcome, replayed.attempt.outcome, 'it ends as by a replay');
  });

  it('are left aside when they do not fit, and the rest of the journal comes after all', async () => {
    await using link = await HttpLink.open();
    const { stored, snapshot } = await handedOver(link);
    const { loads } = await goOn(link, { stored, snapshot: { ...snapshot, imageHash: 'ab'.repeat(32) } });
    assert.equal(loads, 1);
  });

  it('are neither sent nor awaited where one of the ends is of a release without them', async () => {
    await using link = await HttpLink.open();
    const begun = await handedOver(link);
    await using plain = await HttpLink.open({ isPlain: true });
    const { loads } = await goOn(plain, begun);
    assert.deepEqual(announced(plain), { type: 'ready', entries: begun.stored.length });
    assert.equal(loads, 0);
    assert.ok(!plain.said.some(({ type }) => type === 'snapshot'));
  });
});
