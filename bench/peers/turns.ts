/** How long the event loop of a server is kept from others while it hands out a large body over iroh. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectHttp3, decodeTicket, openEndpoint } from '@mvm-ci/net';
import { percentile } from '../percentile.ts';
import type { Figure } from '../report.ts';

const program = fileURLToPath(new URL('turn-server.ts', import.meta.url));
/** The compilers of V8 are at work until then. */
const warmUps = 2;

/** Fetches a body of `bytes` from a process of its own. */
export const measureTurns = async (bytes: number): Promise<readonly Figure[]> => {
  const child = spawn(process.execPath, [program, String(bytes)], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const { stdin, lines } = pipesOf(child);
    const ticket = decodeTicket(await nextLine(lines));
    await using endpoint = await openEndpoint({ secretKey: randomBytes(32), bind: ['127.0.0.1:0'] });
    const client = await connectHttp3(endpoint, ticket.address);
    for (let fetched = 0; fetched <= warmUps; fetched += 1) {
      if (fetched === warmUps) stdin.write('watch\n');
      const answer = await client.fetch('/');
      const { byteLength } = await answer.arrayBuffer();
      if (byteLength !== bytes) throw new Error(`a body of ${bytes} bytes came with ${byteLength}`);
    }
    stdin.end();
    const turnsUs = (await nextLine(lines)).split(' ').map(Number);
    const what = `processor time of a busy turn of a server's event loop while it sends ${bytes} bytes over iroh`;
    return [
      { name: 'turn_p99_ms', value: percentile(turnsUs, 0.99) / 1_000, what: `${what}: 99 of 100 within` },
      {
        name: 'turn_longest_ms',
        value: percentile(turnsUs, 1) / 1_000,
        what: `${what}: the longest, a collection of garbage among them`,
      },
    ];
  } finally {
    child.kill('SIGKILL');
  }
};

const pipesOf = ({ stdin, stdout }: ChildProcess) => {
  if (!stdin || !stdout) throw new Error('a server process has no pipes');
  return { stdin, lines: createInterface({ input: stdout })[Symbol.asyncIterator]() };
};

const nextLine = async (lines: AsyncIterator<string>): Promise<string> => {
  const next = await lines.next();
  if (next.done === true) throw new Error('a server process ended early');
  return next.value;
};
