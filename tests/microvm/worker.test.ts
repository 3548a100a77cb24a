import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient, type Client } from '@mvm-ci/client';
import { encodeModule, type JobView } from '@mvm-ci/protocol';
import { Cluster, workflowModule } from '@mvm-ci/testkit';
import { Receiver } from '../e2e/receiver.ts';
import { MachineProcess } from './machine-process.ts';

/** Set by `npm run test:microvm`. */
const image = process.env['MVM_CI_MICROVM_IMAGE'];
const skip = image === undefined && 'MVM_CI_MICROVM_IMAGE names no image: npm run test:microvm makes one';
const names = ['vm-a', 'vm-b', 'vm-c'];
/** What the machines call the host that QEMU runs on. */
const host = '10.0.2.2';
const suiteMsMax = 900_000;
/** How long a request may be held: until the slowest machine has done its part. */
const heldMsMax = 240_000;
const orders = 8;
/** The order that is in flight when something happens to the machine. */
const heldOrder = 4;
const allOrders = Array.from({ length: orders }, (_, index) => `/order/${index + 1}`);
const body = `
  const answers = [];
  for (const path of input.paths) {
    const answer = await get(input.url + path, { method: input.method, timeoutMs: ${heldMsMax} });
    answers.push(answer.fetched?.status ?? answer.error.code);
  }
  return answers;`;

/** A UDP port that is free now: tickets must name it. */
const freePort = async (): Promise<number> => {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
};

const startCluster = async (): Promise<Cluster> => {
  const port = await freePort();
  const reachable = ['--bind', `0.0.0.0:${port}`, '--advertise', `${host}:${port}`];
  // A machine that is translated on a busy one may stand still for longer than the default.
  return Cluster.start({ controlPlaneArgs: [...reachable, '--lease-ms', '20000', '--engine', 'off'] });
};

/** The receiver's address as a machine sees it. */
const seenFrom = ({ url }: Receiver): string => url.replace('127.0.0.1', host);

describe('workers in microVMs', { skip, timeout: suiteMsMax }, () => {
  const logs = mkdtempSync(join(tmpdir(), 'mvm-ci-microvm-test-'));
  const machines: MachineProcess[] = [];
  let cluster: Cluster | undefined;
  let client: Client;

  before(async () => {
    cluster = await startCluster();
    client = createClient({ url: cluster.url });
    await client.deploy({ name: 'orders', version: '1', file: encodeModule(workflowModule(body)) });
    const { ticket } = cluster;
    for (const name of names) machines.push(new MachineProcess({ name, ticket, image: image ?? '', logs }));
    await Promise.all(machines.map((machine) => machine.joined()));
  });
  after(async () => {
    for (const machine of machines) await machine[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    rmSync(logs, { recursive: true });
  });

  const publish = async (receiver: Receiver, { paths = allOrders, method = 'GET' }): Promise<string> => {
    const input = { url: seenFrom(receiver), paths, method };
    return (await client.publish({ workflow: 'orders', input })).job_id;
  };

  /** The machine that holds a job, which the others are left without. */
  const takeHolder = async (id: string): Promise<MachineProcess> => {
    const { claimed_by: node } = await client.status(id);
    const name = (await client.nodes()).find((seen) => seen.node === node)?.name;
    const at = machines.findIndex((machine) => machine.name === name);
    const [machine] = machines.splice(at, at === -1 ? 0 : 1);
    assert.ok(machine, `${id} is held by ${name}`);
    return machine;
  };

  /** The first job of a machine that is translated on a busy one may take longer than a step may: then it gets another chance. */
  const endOf = async (id: string): Promise<JobView> => {
    for (;;) {
      const job = await client.wait(id);
      if (job.error?.code !== 'STEP_TIMEOUT') return job;
      await client.retry(id);
    }
  };

  it('run jobs side by side, one in each', async () => {
    const waiting = new Map<string, () => void>();
    let haveMet = false;
    await using receiver = await Receiver.start(({ path }, respond) => {
      waiting.set(path, () => respond(200, path));
      haveMet ||= waiting.size === names.length;
      // Nobody gets an answer before all have asked.
      if (!haveMet) return;
      for (const answer of waiting.values()) answer();
      waiting.clear();
    });
    const ids = await Promise.all(names.map((name) => publish(receiver, { paths: [`/${name}`] })));
    const jobs = await Promise.all(ids.map((id) => endOf(id)));
    assert.deepEqual(
      jobs.map(({ status, result, error }) => ({ status, result, error })),
      names.map(() => ({ status: 'completed', result: [200], error: null })),
    );
  });

  it('go on with the job of a machine whose power was cut, and repeat none of its effects', async () => {
    const held = `/order/${heldOrder}`;
    await using receiver = await Receiver.start(({ path }, respond) => {
      if (path !== held) respond(200, path);
    });
    const id = await publish(receiver, { method: 'POST' });
    await receiver.arrivals(1, ({ path }) => path === held);
    const machine = await takeHolder(id);
    assert.equal(await machine.cutPower(), 1);
    const job = await client.wait(id);
    assert.deepEqual([job.status, job.attempt, job.lost_leases], ['completed', 1, 1], JSON.stringify(job.error));
    assert.deepEqual(
      job.result,
      allOrders.map((path) => (path === held ? 'OUTCOME_UNKNOWN' : 200)),
    );
    assert.deepEqual(
      receiver.requests.map(({ path }) => path),
      allOrders,
    );
  });

  it('give their jobs back when the power button is pressed, and end well', async () => {
    const held = `/order/${heldOrder}`;
    await using receiver = await Receiver.start(({ path }, respond) => {
      const isFirst = receiver.requests.filter((request) => request.path === path).length === 1;
      if (path !== held || !isFirst) respond(200, path);
    });
    const id = await publish(receiver, {});
    await receiver.arrivals(1, ({ path }) => path === held);
    const machine = await takeHolder(id);
    assert.equal(await machine.powerDown(), 0);
    const job = await client.wait(id);
    assert.deepEqual([job.status, job.attempt, job.lost_leases], ['completed', 1, 0], JSON.stringify(job.error));
    const again = receiver.requests.filter(({ path }) => path === held);
    assert.deepEqual(again.length, 2);
    assert.equal(new Set(again.map(({ key }) => key)).size, 1, 'it was sent again under another key');
    assert.equal(receiver.requests.length, orders + 1);
  });

  it('end well when they have nothing to do', async () => {
    const [machine] = machines;
    assert.ok(machine);
    assert.equal(await machine.powerDown(), 0);
  });
});
