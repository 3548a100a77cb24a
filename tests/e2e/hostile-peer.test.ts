/**
 * A control plane under attack by peers that break every rule, while an honest worker runs jobs on it. Each attack tells
 * how often it hit, so that one that missed is a failure; after each, jobs complete and memory is within its bound.
 *
 * The bound: the transport holds up to 1.25 MB of a stream that nobody reads, and at most 256 streams of a connection are
 * open; but strangers are refused before their bodies are read, so that none of it stays. What is allowed is room for garbage
 * that is yet to be collected; a leak of one attack (30,000 bytes on each of 10,000 streams) would pass it.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { limits, routes } from '@mvm-ci/protocol';
import { Attacker, frame, head, joinBody } from './attacker.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 240_000;
const rssBytesGrowthMax = 250_000_000;
const jobsPerAttack = 10;

interface Attack {
  readonly name: string;
  /** How often it has to hit. */
  readonly hits: number;
  /** @returns how often it hit */
  readonly run: (attacker: Attacker, scene: Scene) => Promise<number>;
}

const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
const count = (outcomes: readonly boolean[]): number => outcomes.filter(Boolean).length;
const garbage = (index: number): Uint8Array => Uint8Array.from({ length: 5_000 }, (_, at) => (at * 7 + index) & 0xff);
const json = { 'content-type': 'application/json' };

const codeOf = async (response: Response): Promise<string> => {
  const body = (await response.json()) as { error?: { code: string } };
  return body.error?.code ?? String(response.status);
};

/** The head of a frame of a peer stream (`docs/internals/peer-stream.md`), and what follows. */
const channelFrame = (typeAndFlags: number, number: number, payload: readonly number[], length = payload.length) =>
  Uint8Array.from([typeAndFlags, length >>> 8, length & 0xff, 0, 0, 0, number >>> 8, number & 0xff, ...payload]);
const hello = channelFrame(0x10, 0, [...Buffer.from('mvmf'), 0, 1, 0, 0, 4, 0, 2, 0, 0, 0]);
const tooManyOpened = Array.from({ length: 10_000 }, (_, index) => channelFrame(0x21, index * 2 + 1, [1]));

/** What breaks a peer stream, each in another way. */
const brokenChannels: readonly Uint8Array[] = [
  garbage(3),
  Buffer.concat([hello, channelFrame(0x23, 1, [1], 65_535), garbage(1)]),
  // A message that says that it unpacks to 4 GB.
  Buffer.concat([hello, channelFrame(0x27, 1, [255, 255, 255, 255, 1, 2, 3])]),
  Buffer.concat([hello, ...tooManyOpened]),
];

/** Processes that vanished without a word; the frozen ones are still there. */
const silenced: ChildProcess[] = [];

const vanish = async (ticket: string, signal: NodeJS.Signals): Promise<boolean> => {
  const program = fileURLToPath(new URL('vanishing-peer.ts', import.meta.url));
  const child = spawn(process.execPath, [program, ticket], { stdio: ['ignore', 'pipe', 'inherit'] });
  silenced.push(child);
  const [said] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as readonly unknown[];
  return String(said) === 'there\n' && child.kill(signal);
};

const attacks: readonly Attack[] = [
  {
    name: 'connections for a protocol that nobody serves',
    hits: 30,
    run: async (attacker) =>
      count(
        await times(30, () =>
          attacker.connect('nonsense').then(
            () => false,
            () => true,
          ),
        ),
      ),
  },
  {
    name: 'garbage instead of frames, on all kinds of streams',
    hits: 30,
    run: async (attacker) =>
      count(
        await times(30, async (index) => {
          const connection = await attacker.connect();
          const half = await connection.openUnidirectional();
          await half.writeAll(garbage(index));
          return !(await attacker.isAnswered(connection, garbage(index)));
        }),
      ),
  },
  {
    name: 'heads that are too large, or unfold to be',
    hits: 200,
    run: async (attacker) => {
      const connection = await attacker.connect();
      const bomb = frame(0x01, new Uint8Array(60_000).fill(0xdd, 2));
      const lie = frame(0x01, new Uint8Array(2), 1_000_000_000);
      return count(await times(200, async (index) => !(await attacker.isAnswered(connection, index % 2 ? bomb : lie))));
    },
  },
  {
    name: 'ten thousand streams',
    hits: 10_000,
    run: async (attacker) => {
      const connections = await times(4, () => attacker.connect());
      let sent = 0;
      let ended = 0;
      await times(200, async (index) => {
        for (; sent < 10_000; ended += 1) {
          sent += 1;
          const connection = connections[index % 4] ?? connections[0];
          if (connection) await attacker.isAnswered(connection, head('GET', '/nowhere'));
        }
      });
      return ended;
    },
  },
  {
    name: 'frames that say nothing, without end',
    hits: 1,
    run: async (attacker) => {
      const connection = await attacker.connect();
      const empty = new Uint8Array(30_000);
      await attacker.isAnswered(connection, head('POST', routes.join), ...Array.from({ length: 34 }, () => empty));
      const { code } = await connection.closed;
      return code === 0x107 || code === 0x105 ? 1 : 0;
    },
  },
  {
    name: 'readers that take nothing of what they asked for',
    hits: 100,
    run: async (attacker) => {
      const connection = await attacker.connect();
      const streams = await times(100, () => attacker.write(connection, head('GET', routes.openapi)));
      await Promise.all(streams.map(({ send }) => send.finish()));
      return streams.length;
    },
  },
  {
    name: 'writers that stop after the first byte of a body',
    hits: 200,
    run: async (attacker) => {
      const connections = await times(2, () => attacker.connect());
      const begun = [head('POST', routes.join, { 'content-length': '1000' }), frame(0, Uint8Array.of(1), 1_000)];
      const streams = await times(200, (index) => attacker.write(connections[index % 2] ?? assert.fail(), ...begun));
      return streams.length;
    },
  },
  {
    name: 'bodies of a megabyte on 100 streams that nobody reads',
    hits: 50,
    run: async (attacker) => {
      const connection = await attacker.connect();
      const piece = new Uint8Array(30_000);
      return count(
        await times(100, async () => {
          const stream = await attacker.write(connection, head('POST', routes.claim, { 'content-length': '1000000' }));
          // Refused without being read: what the transport has taken until then is thrown away.
          for (let sent = 0; sent < 10; sent += 1) {
            if (
              !(await stream.send.writeAll(frame(0, piece)).then(
                () => true,
                () => false,
              ))
            )
              return true;
          }
          return true;
        }),
      );
    },
  },
  {
    name: 'peers that vanish in every phase',
    hits: 5 * 6,
    run: async (attacker) => {
      const phases: readonly ((one: Attacker) => Promise<unknown>)[] = [
        async (one) => one.connect(),
        async (one) => one.write(await one.connect(), head('GET', '/').subarray(0, 9)),
        async (one) =>
          one.write(
            await one.connect(),
            head('POST', routes.join, { 'content-length': '9' }),
            frame(0, Uint8Array.of(1)),
          ),
        async (one) => {
          const { send, receive } = await one.write(await one.connect(), head('GET', routes.openapi));
          await send.finish();
          return receive.read(100);
        },
        async (one) => one.member(),
        async (one) => {
          const client = await one.member();
          const body = JSON.stringify({ incarnation: 'attacker', capacity: 1, waitMs: 20_000 });
          // It gets no job before it vanishes, or gives that job back by its silence.
          client.fetch(routes.claim, { method: 'POST', headers: json, body }).catch(() => undefined);
          return (await client.fetch(routes.health)).text();
        },
      ];
      const vanished = await times(5 * phases.length, async (index) => {
        await using one = new Attacker(attacker.text);
        await phases[index % phases.length]?.(one);
        return true;
      });
      return count(vanished);
    },
  },
  {
    name: 'peers that are killed or frozen without a word, in the middle of everything',
    hits: 2,
    run: async (attacker) =>
      count(await Promise.all([vanish(attacker.text, 'SIGKILL'), vanish(attacker.text, 'SIGSTOP')])),
  },
  {
    name: 'members that say what is none in their stream, or too much',
    hits: brokenChannels.length,
    run: async (attacker) =>
      count(
        await Promise.all(
          brokenChannels.map(async (bytes) => {
            const member = await attacker.member();
            const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(bytes) });
            const answer = await member.fetch(routes.peerStream, { method: 'POST', body });
            // The other side says why, and ends.
            const said = await answer.text();
            return said.includes('CONNECTION_LOST') || said.includes('broke a rule');
          }),
        ),
      ),
  },
  {
    name: 'a member that lets a hundred long bodies trickle in',
    hits: 90,
    run: async (attacker) => {
      const { connection } = await attacker.member();
      const long = head('POST', routes.append, { 'content-length': String(limits.requestBytesMax) });
      // In one piece: after the head alone the server may refuse the rest before it is written.
      const begun = Buffer.concat([long, frame(0, Uint8Array.of(1), 1_000)]);
      for (let index = 0; index < 10; index += 1) await attacker.write(connection, begun);
      const refusals = await times(90, async () => {
        const { receive } = await attacker.write(connection, begun);
        let said = '';
        for (let bytes = await receive.read(4_096); bytes.length > 0; bytes = await receive.read(4_096))
          said += Buffer.from(bytes).toString('latin1');
        return said.includes('UNAVAILABLE');
      });
      return count(refusals);
    },
  },
  {
    name: 'a stranger that says it is somebody else',
    hits: 3,
    run: async (attacker, scene) => {
      const victim = scene.cluster.workers[0]?.field('node') ?? '';
      const client = await attacker.client();
      const claim = {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ incarnation: 'x', capacity: 5, worker: victim }),
      };
      const byHeader = await client.fetch(routes.claim, {
        ...claim,
        headers: { ...json, 'x-node-id': victim, host: victim },
      });
      const byBody = await client.fetch(routes.claim, claim);
      const connection = await attacker.connect();
      const byAuthority = await attacker.isAnswered(connection, head('GET', routes.stats, { ':authority': victim }));
      return count([(await codeOf(byHeader)) === 'NOT_JOINED', (await codeOf(byBody)) === 'NOT_JOINED', byAuthority]);
    },
  },
  {
    name: 'a flood of joins with tokens that are wrong',
    hits: 300,
    run: async (attacker) => {
      const client = await attacker.client();
      const answers = await times(300, async (index) =>
        client.fetch(routes.join, { method: 'POST', headers: json, body: joinBody(`wrong-${index}`) }),
      );
      return count(
        await Promise.all(answers.map(async (answer) => answer.status >= 400 && (await codeOf(answer)) !== 'INTERNAL')),
      );
    },
  },
  {
    name: 'tickets that are used up or revoked, played again and again',
    hits: 40,
    run: async (attacker, scene) => {
      const single = await scene.client.createTicket({ uses: 1 });
      const revoked = await scene.client.createTicket();
      await scene.client.revokeTicket(revoked.id);
      await using first = new Attacker(single.ticket);
      await first.member();
      const replay = async (ticket: string, code: string): Promise<boolean> => {
        const client = await attacker.client();
        const body = joinBody(new Attacker(ticket).ticket.token ?? '');
        return (await codeOf(await client.fetch(routes.join, { method: 'POST', headers: json, body }))) === code;
      };
      const usedUp = await times(20, () => replay(single.ticket, 'TICKET_USED_UP'));
      return count([...usedUp, ...(await times(20, () => replay(revoked.ticket, 'TICKET_REVOKED')))]);
    },
  },
  {
    name: 'bodies that unpack to a hundred megabytes',
    hits: 20,
    run: async (attacker) => {
      const bomb = zstdCompressSync(Buffer.alloc(100_000_000));
      const client = await attacker.client();
      const headers = { ...json, 'content-encoding': 'zstd' };
      const answers = await times(20, async () => client.fetch(routes.join, { method: 'POST', headers, body: bomb }));
      return count(await Promise.all(answers.map(async (answer) => (await codeOf(answer)) === 'PAYLOAD_TOO_LARGE')));
    },
  },
];

describe('a control plane under attack', () => {
  let scene: Scene;
  let receiver: Receiver;
  let signal: AbortSignal;
  let rssBytesBefore: number;

  const rssBytes = async (): Promise<number> => {
    const status = await readFile(`/proc/${scene.cluster.controlPlane.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
  };

  /** Jobs that begin before the attack and go on during it. */
  const publishJobs = (): Promise<readonly string[]> => {
    const input = { url: receiver.url, times: 3, pauseMs: 20 };
    return scene.publish(Array.from({ length: jobsPerAttack }, () => ({ workflow: 'probe/keepAsking', input })));
  };

  before(async () => {
    signal = AbortSignal.timeout(deadlineMs);
    receiver = await Receiver.start();
    scene = await Scene.start({ workers: 1, slots: 4, workerArgs: ['--threads', '1'] });
    await scene.deploy('probe');
    await scene.allEnded(await publishJobs(), signal);
    rssBytesBefore = await rssBytes();
  });
  after(async () => {
    for (const child of silenced) child.kill('SIGKILL');
    await scene[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  for (const { name, hits, run } of attacks) {
    it(`by ${name} serves its honest worker and keeps its memory`, { skip: process.platform !== 'linux' }, async () => {
      await using attacker = new Attacker(scene.cluster.ticket);
      const jobs = await publishJobs();
      assert.ok((await run(attacker, scene)) >= hits, 'the attack missed');
      const views = await scene.allEnded(jobs, signal);
      assert.deepEqual(
        views.map(({ status }) => status),
        jobs.map(() => 'completed'),
      );
      const grownBytes = (await rssBytes()) - rssBytesBefore;
      assert.ok(grownBytes < rssBytesGrowthMax, `memory has grown by ${grownBytes} bytes`);
    });
  }
});
