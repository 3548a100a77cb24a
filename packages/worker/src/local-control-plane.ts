/** The control plane of this very process: calls of its operations, without a connection or an encoding in between. */
import {
  claimAnswerSchema,
  errandAnswerSchema,
  heartbeatAnswerSchema,
  inboxAnswerSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  journalAnswerSchema,
  mvmError,
  parseAs,
  type CallRequest,
} from '@mvm-ci/protocol';
import type { CallOptions, ControlPlane } from './control-plane.ts';

/** A control plane in this process, which knows who calls. */
export interface LocalPeer {
  /** What the route answers. It is durable when it is there. @throws the refusal */
  call(request: CallRequest, options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** The worker is over. */
  close(): Promise<void>;
}

type Schema<T> = Parameters<typeof parseAs<T>>[0];

/** The control plane behind `peer`. */
export const localControlPlane = (peer: LocalPeer): ControlPlane => {
  const call = async <T>(schema: Schema<T>, request: CallRequest, { signal }: CallOptions): Promise<T> =>
    parseAs(schema, await peer.call(request, { signal }), request.route);
  const post =
    <T>(route: CallRequest['route'], schema: Schema<T>) =>
    (body: unknown, options: CallOptions): Promise<T> =>
      call(schema, { method: 'POST', route, body }, options);
  return {
    join: post('join', joinAnswerSchema),
    claim: post('claim', claimAnswerSchema),
    heartbeat: post('heartbeat', heartbeatAnswerSchema),
    append: post('append', itemsAnswerSchema),
    finish: post('finish', itemsAnswerSchema),
    inbox: post('peerInbox', inboxAnswerSchema),
    errand: post('peerErrand', errandAnswerSchema),
    journal: ({ job, epoch }, options) =>
      call(journalAnswerSchema, { method: 'GET', route: 'peerJournal', parameter: job, search: { epoch } }, options),
    module: async (hash, { signal }) => {
      const file = await peer.call({ method: 'GET', route: 'peerModule', parameter: hash }, { signal });
      if (file instanceof Uint8Array) return file;
      throw mvmError('INTERNAL', `the control plane answered a request for module ${hash} with something else`);
    },
  };
};
