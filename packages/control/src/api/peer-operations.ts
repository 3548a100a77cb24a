/** `/peer/…`: what workers use. An operator may use it too, and names the worker that it speaks for in the body. */
import {
  appendRequestSchema,
  claimAnswerSchema,
  claimRequestSchema,
  errandAnswerSchema,
  errandRequestSchema,
  finishRequestSchema,
  heartbeatAnswerSchema,
  heartbeatRequestSchema,
  idSchema,
  inboxAnswerSchema,
  inboxRequestSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  joinRequestSchema,
  journalAnswerSchema,
  mvmError,
  peerProtocol,
  type FinishItem,
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
    if (body.protocol !== peerProtocol) {
      throw mvmError(
        'INVALID_ARGUMENT',
        `this control plane speaks peer protocol ${peerProtocol}, not ${body.protocol}: run the same release on both sides`,
      );
    }
    demandSameCluster(core.cluster, body.cluster);
    const { node } = caller;
    const name = body.name ?? node.slice(0, nameDigits);
    const { role } = await core.nodes.join({ node, name, token: body.token ?? null, roles: body.roles });
    // What an earlier process of this node asked for, nobody waits for any more.
    core.claims.dismiss((wish) => wish.worker === node && wish.incarnation !== body.incarnation);
    const { leaseMs, heartbeatMs, idleHeartbeatMs } = core.periods;
    return value({ node, cluster: core.cluster, role, leaseMs, heartbeatMs, idleHeartbeatMs });
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
    const { incarnation, capacity, waitMs = 0 } = body;
    return value(await core.queue.claim({ worker, incarnation, capacity, waitMs, signal }));
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
    return value(core.queue.heartbeat(holder, body.held));
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
  search: z.object({ epoch: z.coerce.number().int().positive(), worker: idSchema.optional() }),
  answers: journalAnswerSchema,
  run: async ({ core, caller, parameter, search }) => {
    const lease = { job: parameter, epoch: search.epoch };
    const worker = workerOf(caller, search.worker);
    const { attempt, batches } = await core.queue.heldJournal(worker, lease);
    const inbox = await core.queue.heldInbox(worker, lease, 0);
    return value({
      ...(inbox.length > 0 && { inbox }),
      attempt,
      batches: batches.map(({ firstSeq, count, bytes, hash }) => ({ firstSeq, count, bytes, hash })),
    });
  },
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
    value(await core.queue.awaitInbox(workerOf(caller, body.worker), body, signal)),
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
    return value({ errand: core.queue.errand(body) });
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
  claim,
  heartbeat,
  append,
  finish,
  journal,
  inbox,
  errand,
  module,
];
