import { systemClock } from '@mvm-ci/net';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeBody, errorBody, mvmError } from '@mvm-ci/protocol';
import { peerControlPlane, type Peer, type PeerInit } from '../src/peer-control-plane.ts';

const options = { signal: new AbortController().signal };
const lease = { job: 'a/b', epoch: 3 };

const peerOf = (answer: (path: string, init: PeerInit) => Response): Peer => ({
  fetch: async (path, init) => answer(path, init),
  close: async () => undefined,
});

describe('peerControlPlane', () => {
  it('names the lease whose journal it asks for, escaped', async () => {
    const paths: string[] = [];
    const peer = peerOf((path) => {
      paths.push(path);
      return Response.json({ attempt: 1, batches: [] });
    });
    assert.deepEqual(await peerControlPlane(peer, systemClock).journal(lease, options), { attempt: 1, batches: [] });
    assert.deepEqual(paths, ['/peer/journal/a%2Fb?epoch=3']);
  });

  it('rejects with the refusal in an answer, in either encoding', async () => {
    const body = errorBody(mvmError('STALE_LEASE', 'over').toRecord());
    const packed = new Uint8Array(encodeBody(body, 'application/msgpack'));
    const answers = [
      (): Response => Response.json(body, { status: 409 }),
      (): Response => new Response(packed, { status: 409, headers: { 'content-type': 'application/msgpack' } }),
    ];
    for (const answer of answers)
      await assert.rejects(peerControlPlane(peerOf(answer), systemClock).journal(lease, options), {
        code: 'STALE_LEASE',
      });
  });

  it('calls an answer that it can not read a fault, not the worker’s mistake', async () => {
    const answers = [Response.json({ jobs: 'many' }), new Response('<html>'), new Response('<html>', { status: 502 })];
    for (const answer of answers) {
      const controlPlane = peerControlPlane(
        peerOf(() => answer),
        systemClock,
      );
      await assert.rejects(controlPlane.claim({ incarnation: 'i', capacity: 1 }, options), { code: 'INTERNAL' });
    }
  });

  it('gives every request a deadline', async () => {
    const deadlines: number[] = [];
    const peer = peerOf((_, { deadlineMs }) => {
      deadlines.push(deadlineMs);
      return Response.json({ lost: [], cancel: [] });
    });
    const request = { incarnation: 'i', held: [] };
    await peerControlPlane(peer, systemClock).heartbeat(request, options);
    await peerControlPlane(peer, systemClock).heartbeat(request, { ...options, deadlineMs: 7 });
    assert.deepEqual(deadlines, [15_000, 7]);
  });
});
