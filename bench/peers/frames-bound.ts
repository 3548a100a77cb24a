/** The transport alone: frames of 64 bytes echoed on one stream between two endpoints of this process. */
import { randomBytes } from 'node:crypto';
import { openEndpoint, type PeerConnection, type PeerEndpoint } from '@mvm-ci/net';
import type { Figure } from '../report.ts';
import { timed } from '../lanes.ts';

const alpn = 'mvm-ci-bench/echo';
const frameBytes = 64;
const inFlight = 256;
const readBytes = 32_768;
const bind = ['127.0.0.1:0'];

const open = (alpns: readonly string[]): Promise<PeerEndpoint> =>
  openEndpoint({ secretKey: randomBytes(32), alpns, bind });

/** Echoes `count` frames, 256 at a time, joined in as few writes as they come in. */
export const measureFrames = async (count: number): Promise<Figure> => {
  await using server = await open([alpn]);
  await using client = await open([]);
  const incoming = server.connections(alpn)[Symbol.asyncIterator]();
  const [connection, accepted] = await Promise.all([client.connect(server.address(), { alpn }), incoming.next()]);
  if (accepted.done === true) throw new Error('the endpoint accepted no connection');
  const echoing = echo(accepted.value);
  const seconds = await timed(() => sendFrames(connection, count));
  await echoing;
  connection.close(0, '');
  const what = `frames of ${frameBytes} bytes echoed on one iroh stream, ${inFlight} in flight: the transport alone`;
  return { name: 'iroh_frames_per_s', value: count / seconds, what };
};

const sendFrames = async (connection: PeerConnection, count: number): Promise<void> => {
  const { send, receive } = await connection.openBidirectional();
  let [sent, back] = [0, 0];
  while (back < count * frameBytes) {
    const due = Math.min(count - sent, inFlight - (sent - Math.floor(back / frameBytes)));
    if (due > 0) await send.writeAll(new Uint8Array(due * frameBytes));
    sent += due;
    const bytes = await receive.read(readBytes);
    if (bytes.length === 0) throw new Error('the echo ended early');
    back += bytes.length;
  }
  await send.finish();
};

const echo = async (connection: PeerConnection): Promise<void> => {
  const { send, receive } = await connection.acceptBidirectional();
  for (;;) {
    const bytes = await receive.read(readBytes);
    if (bytes.length === 0) return send.finish();
    await send.writeAll(bytes);
  }
};
