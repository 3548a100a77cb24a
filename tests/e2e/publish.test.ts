/** Publishing by the client's library from many callers at once, to the real control plane. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient, type Client } from '@mvm-ci/client';
import { asMvmError } from '@mvm-ci/protocol';
import { Scene } from './scene.ts';

const callers = 64;
const jobsEach = 20;

describe('many callers that publish at once', () => {
  it('each hear of their own job, in far fewer requests than jobs', async () => {
    await using scene = await Scene.start({ workers: 0 });
    const client = createClient({ url: scene.cluster.url });
    const ids = await Promise.all(Array.from({ length: callers }, (_, caller) => publishInTurn(client, caller)));
    assert.equal(new Set(ids.flat()).size, callers * jobsEach);
    assert.equal((await client.stats()).pending, callers * jobsEach);
    const requests = await publishRequests(scene.cluster.url);
    assert.ok(
      requests > 0 && requests < (callers * jobsEach) / 4,
      `${requests} requests for ${callers * jobsEach} jobs`,
    );
  });

  it('lose nothing by the one whose job is refused', async () => {
    await using scene = await Scene.start({ workers: 0 });
    const client = createClient({ url: scene.cluster.url });
    await client.publish({ job_id: 'taken', payload: 'another' });
    const ids = Array.from({ length: callers }, (_, index) => (index % 20 === 7 ? 'taken' : `mine-${index}`));
    const outcomes = await Promise.allSettled(
      ids.map((id, index) =>
        client.publish({ job_id: id, ...(index === 40 ? { workflow: 'absent' } : { payload: 1 }) }),
      ),
    );
    const codes = outcomes.map((one) => (one.status === 'fulfilled' ? one.value.job_id : asMvmError(one.reason).code));
    const expected = ids.map((id, index) => (index === 40 ? 'MODULE_NOT_FOUND' : id === 'taken' ? 'JOB_EXISTS' : id));
    assert.deepEqual(codes, expected);
  });
});

const publishInTurn = async (client: Client, caller: number): Promise<readonly string[]> => {
  const ids: string[] = [];
  for (let job = 0; job < jobsEach; job += 1) {
    const id = `${caller}-${job}`;
    const published = await client.publish({ job_id: id, payload: caller });
    assert.deepEqual(published, { job_id: id, status: 'pending', created: true });
    ids.push(id);
  }
  return ids;
};

const publishRequests = async (url: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = text.matchAll(/^mvm_ci_requests_total\{[^}]*route="publish(?:Many)?"[^}]*\} (\d+)$/gm);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
};
