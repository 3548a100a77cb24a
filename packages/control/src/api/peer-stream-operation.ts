/**
 * `POST /peer/stream`: one request whose two bodies stay open and carry a frame channel, each of whose conversations is a
 * call (`docs/internals/peer-stream.md`). Behind a call are the same operations, the same access and the same errors as
 * behind a request.
 */
import { openFrameChannel, outgoingBody, peerStreamLimits, systemClock } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { streamBody } from './body-spec.ts';
import { callTable, serveCalls } from './served-call.ts';
import { noSearch, operation, type Operation } from './operation.ts';

/** The operation; `callable` are those that its calls may use. */
export const peerStreamOperation = (callable: readonly Operation[]): Operation => {
  const table = callTable(callable);
  return operation({
    method: 'POST',
    route: 'peerStream',
    access: 'member',
    summary: 'Calls of the routes for peers in frames, over two bodies that stay open. For peers only.',
    body: streamBody,
    search: noSearch,
    answers: 'application/octet-stream',
    run: ({ core, caller, logger, body }) => {
      if (caller.kind !== 'peer') {
        throw mvmError('FORBIDDEN', 'only a peer has a stream: over HTTP, use the routes themselves');
      }
      const { node } = caller;
      core.streams.demandPlace(node);
      const outgoing = outgoingBody();
      const duplex = outgoing.with(body);
      const accept = serveCalls({ core, node, table, logger });
      const channel = openFrameChannel({
        duplex,
        side: 'server',
        clock: systemClock,
        accept,
        limits: peerStreamLimits,
      });
      core.streams.add(node, channel);
      return { type: 'frames', stream: outgoing.body };
    },
  });
};
