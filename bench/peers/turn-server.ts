/**
 * A server that hands out one large body: `turn-server.ts BYTES`. Says a ticket when it is ready. From the first byte of its
 * input to its end it notes the processor time of each turn of its event loop in which something was done, and says these in
 * one line, in µs: what else the machine does is not in them.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { encodeTicket, http3Alpn, openEndpoint, serveHttp3 } from '@mvm-ci/net';

/** A turn that takes less has found nothing to do. */
const idleUs = 100;
const body = new Uint8Array(randomBytes(Number(process.argv[2] ?? 0)));
const bind = ['127.0.0.1:0'];
const endpoint = await openEndpoint({ secretKey: randomBytes(32), alpns: [http3Alpn], bind });
serveHttp3(endpoint, { handler: () => new Response(body) });

const usedUs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};
const turnsUs: number[] = [];
let lastUs = usedUs();
const turn = (): void => {
  const nowUs = usedUs();
  if (nowUs - lastUs > idleUs) turnsUs.push(nowUs - lastUs);
  lastUs = nowUs;
  setImmediate(turn);
};

console.log(encodeTicket({ address: endpoint.address(), token: '' }));
process.stdin.resume();
process.stdin.once('data', () => {
  lastUs = usedUs();
  turn();
});
await once(process.stdin, 'end');
console.log(turnsUs.join(' '));
process.exit();
