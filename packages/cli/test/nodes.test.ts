import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { runCommand } from './fixtures/fake-host.ts';

const node = (name: string, seenAt: number): object => ({
  node: name.repeat(64),
  name,
  joined_at_ms: 1,
  seen_at_ms: seenAt,
  jobs: 0,
});

const answers: Readonly<Record<string, unknown>> = {
  '/nodes': [node('a', 1_000), node('b', 9_000), node('c', 5_000)],
  '/queue/stats': {
    pending: 0,
    claimed: 0,
    in_progress: 0,
    waiting: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    total: 0,
    workers: 2,
  },
};

describe('mvm-ci nodes', () => {
  it('shows those that are here first, and marks the others as gone; --json is what the API answers', async () => {
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[request.url ?? '']));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const human = await runCommand(['nodes', '--url', url]);
      const rows = human.stdout.split('\n').slice(1, 4);
      assert.deepEqual(
        rows.map((row) => row.split(/ +/).slice(1, 3)),
        [
          ['b', 'here'],
          ['c', 'here'],
          ['a', 'gone'],
        ],
      );
      const json = await runCommand(['nodes', '--url', url, '--json']);
      assert.deepEqual(JSON.parse(json.stdout), answers['/nodes']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
