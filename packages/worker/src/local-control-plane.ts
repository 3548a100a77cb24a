/** The control plane of this very process: calls of its operations, without a connection or an encoding in between. */
import {
  blobPartAnswerSchema,
  claimAnswerSchema,
  errandAnswerSchema,
  heartbeatAnswerSchema,
  inboxAnswerSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  journalAnswerSchema,
  journalBatchesSchema,
  leaveAnswerSchema,
  mvmError,
  parseAs,
  snapshotAnswerSchema,
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
    leave: post('leave', leaveAnswerSchema),
    claim: post('claim', claimAnswerSchema),
    heartbeat: post('heartbeat', heartbeatAnswerSchema),
    append: post('append', itemsAnswerSchema),
    finish: post('finish', itemsAnswerSchema),
    snapshot: post('peerSnapshot', snapshotAnswerSchema),
    inbox: post('peerInbox', inboxAnswerSchema),
    errand: post('peerErrand', errandAnswerSchema),
    journal: ({ job, epoch, tail = false }, options) => {
      const search = { epoch, ...(tail && { tail: 1 }) };
      return call(journalAnswerSchema, { method: 'GET', route: 'peerJournal', parameter: job, search }, options);
    },
    errandJournal: ({ errand, from }, options) => {
      const request = { method: 'GET', route: 'peerErrandJournal', parameter: errand, search: { from } } as const;
      return call(journalBatchesSchema, request, options);
    },
    putBlob: post('peerBlobPart', blobPartAnswerSchema),
    blob: async ({ job, hash, offset }, { signal }) => {
      const search = { job, offset };
      const bytes = await peer.call({ method: 'GET', route: 'peerBlob', parameter: hash, search }, { signal });
      if (bytes instanceof Uint8Array) return bytes;
      throw mvmError('INTERNAL', `the control plane answered a request for blob ${hash} with something else`);
    },
    module: async (hash, { signal }) => {
      const file = await peer.call({ method: 'GET', route: 'peerModule', parameter: hash }, { signal });
      if (file instanceof Uint8Array) return file;
      throw mvmError('INTERNAL', `the control plane answered a request for module ${hash} with something else`);
    },
  };
};
