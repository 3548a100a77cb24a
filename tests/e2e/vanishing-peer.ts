/**
 * A node in a process of its own that is in the middle of everything at once, and waits: whoever started it kills or freezes it
 * then, of which the other side hears nothing. Argument: the ticket. It prints a line when it is there.
 */
import { routes } from '@mvm-ci/protocol';
import process from 'node:process';
import { Attacker, frame, head } from './attacker.ts';

const attacker = new Attacker(process.argv[2] ?? '');
const stranger = await attacker.connect();
await attacker.write(stranger, head('GET', '/').subarray(0, 9));
await attacker.write(stranger, head('POST', routes.join, { 'content-length': '9' }), frame(0, Uint8Array.of(1)));
const { send, receive } = await attacker.write(stranger, head('GET', routes.openapi));
await send.finish();
await receive.read(100);

const member = await attacker.member();
const piece = new Uint8Array(30_000);
await attacker.write(
  member.connection,
  head('POST', routes.append, { 'content-length': '30000000' }),
  ...Array.from({ length: 20 }, () => frame(0, piece)),
);
const endless = (bytes: Uint8Array): ReadableStream<Uint8Array> =>
  new ReadableStream({ start: (controller) => controller.enqueue(bytes) });
// The head of a frame of 16 KiB, and the first of its bytes.
await member.fetch(routes.peerStream, {
  method: 'POST',
  body: endless(Uint8Array.of(0x20, 0x40, 0, 0, 0, 0, 0, 1, 7)),
});
const claim = JSON.stringify({ incarnation: 'attacker', capacity: 1, waitMs: 20_000 });
const headers = { 'content-type': 'application/json' };
member.fetch(routes.claim, { method: 'POST', headers, body: claim }).catch(() => undefined);
await (await member.fetch(routes.health)).text();
process.stdout.write('there\n');
