/**
 * `POST /engine/link`: a worker's link to the engine that the control plane lends (`docs/internals/engine-link.md`): one
 * request whose two bodies stay open and carry a frame channel, each of whose conversations is a run.
 */
import { mvmError } from '@mvm-ci/protocol';
import { streamBody } from './body-spec.ts';
import { noSearch, operation, type Operation } from './operation.ts';

/** The link. */
export const engineLinkOperation: Operation = operation({
  method: 'POST',
  route: 'engineLink',
  access: 'worker',
  summary: 'Runs in the control plane’s own engine, in frames, over two bodies that stay open. For peers only.',
  body: streamBody,
  search: noSearch,
  answers: 'application/octet-stream',
  run: ({ core, caller, body }) => {
    if (caller.kind === 'peer') return { type: 'frames', stream: core.lender.open(caller.node, body) };
    throw mvmError('FORBIDDEN', 'only a peer has an engine link here: over HTTP, an engine server has one');
  },
});
