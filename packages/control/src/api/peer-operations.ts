/** `/peer/…`: what workers use. An operator may use it too, and names the worker that it speaks for in the body. */
import {
  agreeOnProtocol,
  appendRequestSchema,
  claimAnswerSchema,
  claimRequestSchema,
  errandAnswerSchema,
  errandRequestSchema,
  finishRequestSchema,
  handlerPrefix,
  heartbeatAnswerSchema,
  heartbeatRequestSchema,
  idSchema,
  inboxAnswerSchema,
  inboxRequestSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  joinRequestSchema,
  journalAnswerSchema,
  journalBatchesSchema,
  mvmError,
  leaveAnswerSchema,
  leaveRequestSchema,
  peerProtocols,
  snapshotAnswerSchema,
  snapshotRequestSchema,
  type FinishItem,
  type JournalBatch,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import { controlLimits } from '../limits.ts';
import { bodyOf, noBody } from './body-spec.ts';
import { workerOf } from './caller.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';

const nameDigits = 10;

const join = operation({
  method: 'POST',
  route: 'join',
  access: 'anybody',
  summary: 'Become a member: by a ticket’s join token the first time, by the proven node id later.',
  body: bodyOf(joinRequestSchema),
  bodyBytesMax: controlLimits.joinBytesMax,
  search: noSearch,
  answers: joinAnswerSchema,
  run: async ({ core, caller, body }) => {
    if (caller.kind !== 'peer')
      throw mvmError('FORBIDDEN', 'only a peer joins: its node id is proven by its connection');
    const { node } = caller;
    const { protocol: oldest, protocolNewest: newest = oldest, incarnation } = body;
    const own = { name: 'the control plane', ...peerProtocols };
    const protocol = agreeOnProtocol(own, { name: 'this node', oldest, newest });
    demandSameCluster(core.cluster, body.cluster);
    const name = body.name ?? node.slice(0, nameDigits);
    const { role } = await core.nodes.join({ node, name, token: body.token ?? null, roles: body.roles });
    // What an earlier process of this node asked for, nobody waits for any more.
    core.claims.dismiss((wish) => wish.worker === node && wish.incarnation !== incarnation);
    core.processes.noteJoin(node, { incarnation, protocol });
    const { leaseMs, heartbeatMs, idleHeartbeatMs } = core.periods;
    return value({ node, cluster: core.cluster, role, protocol, leaseMs, heartbeatMs, idleHeartbeatMs });
  },
});

const leave = operation({
  method: 'POST',
  route: 'leave',
  access: 'worker',
  summary:
    'Say that this process of a worker has ended in order: it counts as gone at once; with `empty`, others get what it never began.',
  body: bodyOf(leaveRequestSchema),
  search: noSearch,
  answers: leaveAnswerSchema,
  run: async ({ core, caller, body }) => {
    const worker = workerOf(caller, body.worker);
    const { incarnation = body.incarnation } = core.processes.of(worker) ?? {};
    if (incarnation !== body.incarnation) return value({});
    core.claims.dismiss((wish) => wish.worker === worker);
    core.nodes.noteSilence(worker);
    await core.queue.noteLeft({ ...body, worker });
    return value({});
  },
});

const demandSameCluster = (own: string, wanted: string | undefined): void => {
  if (wanted === undefined || wanted === own) return;
  throw mvmError(
    'TICKET_OF_ANOTHER_CLUSTER',
    `the ticket is for cluster ${wanted}, and this control plane is of cluster ${own}: take a ticket of this one`,
    { cluster: own, ticket_cluster: wanted },
  );
};

const claim = operation({
  method: 'POST',
  route: 'claim',
  access: 'worker',
  summary: 'Claim up to `capacity` workflow jobs, waiting up to `waitMs` for the first one.',
  body: bodyOf(claimRequestSchema),
  search: noSearch,
  answers: claimAnswerSchema,
  run: async ({ core, caller, body, signal }) => {
    const worker = workerOf(caller, body.worker);
    const { incarnation, capacity, waitMs = 0, tags = [], queues = null, modules = [], errands, handlers } = body;
    const kinds = handlers?.map((name) => `${handlerPrefix}${name}`) ?? ['workflow'];
    const able = { kinds, tags: core.nodes.tagsOf(worker, tags), queues };
    const asked = core.drains.orderFor(worker, incarnation);
    if (asked) return value({ jobs: [], leaseMs: core.periods.leaseMs, drain: asked });
    const askedAt = core.clock.wallMs();
    const claimed = await core.queue.claim({
      worker,
      incarnation,
      capacity,
      waitMs,
      modules,
      errands,
      ...able,
      signal,
    });
    // Of a worker that holds jobs, its leases say when it is gone.
    if (signal.aborted && !core.leases.heldByWorker().has(worker)) core.nodes.noteHangUp(worker, askedAt);
    const drain = core.drains.orderFor(worker, incarnation);
    return value({ ...claimed, ...(drain && { drain }) });
  },
});

const heartbeat = operation({
  method: 'POST',
  route: 'heartbeat',
  access: 'worker',
  summary: 'Extend the named leases, and only those; learn which are lost and which jobs should be cancelled.',
  body: bodyOf(heartbeatRequestSchema),
  search: noSearch,
  answers: heartbeatAnswerSchema,
  run: ({ core, caller, body }) => {
    const holder = { worker: workerOf(caller, body.worker), incarnation: body.incarnation };
    const drain = core.drains.orderFor(holder.worker, holder.incarnation);
    return value({ ...core.queue.heartbeat(holder, body.held), ...(drain && { drain }) });
  },
});

const append = operation({
  method: 'POST',
  route: 'append',
  access: 'worker',
  summary: 'Add batches to the journals of held jobs; one answer per item, in order.',
  body: bodyOf(appendRequestSchema),
  search: noSearch,
  answers: itemsAnswerSchema,
  run: async ({ core, caller, body }) =>
    value({ results: await core.queue.append(workerOf(caller, body.worker), body.appends) }),
});

const finish = operation({
  method: 'POST',
  route: 'finish',
  access: 'worker',
  summary: 'End the hold on jobs, with a last append each; one answer per item, in order.',
  body: bodyOf(finishRequestSchema),
  search: noSearch,
  answers: itemsAnswerSchema,
  run: async ({ core, caller, body }) => {
    for (const item of body.finishes) demandJson(item);
    return value({ results: await core.queue.finish(workerOf(caller, body.worker), body.finishes) });
  },
});

const demandJson = ({ job, outcome }: FinishItem): void => {
  if (outcome.type !== 'completed') return;
  try {
    JSON.parse(outcome.result);
  } catch {
    throw mvmError('INVALID_ARGUMENT', `the result of job "${job}" is not JSON text`, { job_id: job });
  }
};

const journal = operation({
  method: 'GET',
  route: 'peerJournal',
  access: 'worker',
  summary: 'The journal of a job that the caller holds, to be checked and replayed.',
  body: noBody,
  search: z.object({
    epoch: z.coerce.number().int().positive(),
    tail: z.coerce.number().int().min(0).max(1).optional(),
    worker: idSchema.optional(),
  }),
  answers: journalAnswerSchema,
  run: async ({ core, caller, parameter, search }) => {
    const lease = { job: parameter, epoch: search.epoch };
    const worker = workerOf(caller, search.worker);
    const wanted = { ...lease, tail: search.tail === 1 };
    const { attempt, batches, previous, earlier, snapshot } = await core.journals.held(worker, wanted);
    const inbox = await core.journals.heldInbox(worker, lease, 0);
    return value({
      ...(inbox.length > 0 && { inbox }),
      ...(snapshot && { snapshot }),
      attempt,
      batches: batches.map(sentBatch),
      ...(previous && { previous }),
      ...(earlier.length > 0 && {
        earlier: earlier.map((one) => ({ attempt: one.attempt, batches: one.batches.map(sentBatch) })),
      }),
    });
  },
});

const sentBatch = ({ firstSeq, count, bytes, hash }: JournalBatch): JournalBatch => ({ firstSeq, count, bytes, hash });

const snapshot = operation({
  method: 'POST',
  route: 'peerSnapshot',
  access: 'worker',
  summary: 'Keep a state of a held job’s guest, in place of the one before.',
  body: bodyOf(snapshotRequestSchema),
  search: noSearch,
  answers: snapshotAnswerSchema,
  run: async ({ core, caller, body }) => value(await core.queue.keepSnapshot(workerOf(caller, body.worker), body)),
});

const inbox = operation({
  method: 'POST',
  route: 'peerInbox',
  access: 'worker',
  summary: 'Items of a held job’s inbox above `after`, waiting up to `waitMs` for the first one.',
  body: bodyOf(inboxRequestSchema),
  search: noSearch,
  answers: inboxAnswerSchema,
  run: async ({ core, caller, body, signal }) =>
    value(await core.journals.awaitInbox(workerOf(caller, body.worker), body, signal)),
});

const errandJournal = operation({
  method: 'GET',
  route: 'peerErrandJournal',
  access: 'worker',
  summary: 'The next part of the journal of an errand that was taken.',
  body: noBody,
  search: z.object({ from: z.coerce.number().int().nonnegative(), worker: idSchema.optional() }),
  answers: journalBatchesSchema,
  run: async ({ core, caller, parameter, search }) => {
    workerOf(caller, search.worker);
    return value(await core.replays.part(parameter, search.from));
  },
});

const errand = operation({
  method: 'POST',
  route: 'peerErrand',
  access: 'worker',
  summary: 'Say what came of the last errand, and take the next replay that somebody wants, if there is one.',
  body: bodyOf(errandRequestSchema),
  search: noSearch,
  answers: errandAnswerSchema,
  run: ({ core, caller, body }) => {
    // Whoever speaks for no worker takes no errand.
    workerOf(caller, body.worker);
    return value({ errand: core.replays.errand(body) });
  },
});

const module = operation({
  method: 'GET',
  route: 'peerModule',
  access: 'worker',
  summary: 'A module file, by its hash.',
  body: noBody,
  search: noSearch,
  answers: 'application/octet-stream',
  run: async ({ core, parameter }) => ({ type: 'bytes', bytes: await core.modules.file(parameter) }),
});

/** The operations of this file. */
export const peerOperations: readonly Operation[] = [
  join,
  leave,
  claim,
  heartbeat,
  append,
  finish,
  journal,
  snapshot,
  inbox,
  errand,
  errandJournal,
  module,
];
