/** Every path of the API, once: servers mount the patterns, clients fill them in. Prose: `docs/reference/http-api.md`. */

/** Patterns in the syntax of the router; `:name` is one path segment. */
export const routes = {
  info: '/',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  openapi: '/openapi.json',

  publish: '/queue/publish',
  publishMany: '/queue/publish-many',
  claimBare: '/queue/claim',
  list: '/queue/list',
  stats: '/queue/stats',
  status: '/queue/status/:job',
  cancel: '/queue/cancel/:job',
  cancelMany: '/queue/cancel-many',
  move: '/queue/move/:job',
  retry: '/queue/retry/:job',
  retryMany: '/queue/retry-many',
  why: '/queue/why/:job',
  queues: '/queue/queues',
  queue: '/queue/queues/:queue',
  send: '/queue/send/:job',
  query: '/queue/query/:job',
  children: '/queue/children/:job',
  journal: '/queue/journal/:job',
  journalBatches: '/queue/journal-batches/:job',
  logs: '/queue/logs/:job',
  replay: '/queue/replay/:job',
  logEvents: '/queue/logs/:job/events',
  events: '/queue/events',

  webhooks: '/webhooks',
  webhook: '/webhooks/:webhook',
  webhookDelete: '/webhooks/:webhook/delete',

  schedules: '/schedules',
  schedule: '/schedules/:schedule',
  scheduleDelete: '/schedules/:schedule/delete',
  scheduleTrigger: '/schedules/:schedule/trigger',
  scheduleBackfill: '/schedules/:schedule/backfill',

  modules: '/modules',
  repin: '/modules/repin',
  candidate: '/modules/candidate',
  module: '/modules/:hash',
  moduleFile: '/modules/:hash/file',
  blobs: '/blobs',
  blob: '/blobs/:hash',
  nodes: '/nodes',
  nodeBan: '/nodes/:node/ban',
  nodeDrain: '/nodes/:node/drain',
  nodeAllow: '/nodes/:node/allow',
  nodeRename: '/nodes/:node/rename',
  tickets: '/tickets',
  ticketRevoke: '/tickets/:ticket/revoke',

  join: '/peer/join',
  leave: '/peer/leave',
  claim: '/peer/claim',
  heartbeat: '/peer/heartbeat',
  append: '/peer/append',
  finish: '/peer/finish',
  peerJournal: '/peer/journal/:job',
  peerSnapshot: '/peer/snapshot',
  peerInbox: '/peer/inbox',
  peerErrand: '/peer/errand',
  peerErrandJournal: '/peer/errand-journal/:errand',
  peerModule: '/peer/module/:hash',
  peerBlobPart: '/peer/blob',
  peerBlob: '/peer/blob/:hash',
  peerStream: '/peer/stream',
  engineLink: '/engine/link',
} as const;

/** The path of a route with its parameters filled in and escaped. */
export const routePath = (
  route: keyof typeof routes,
  parameters: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | number | undefined>> = {},
): string => {
  const path = routes[route].replaceAll(/:([a-z]+)/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? path : `${path}?${search.toString()}`;
};
