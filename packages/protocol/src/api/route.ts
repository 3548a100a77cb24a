/** Every path of the API, once: servers mount the patterns, clients fill them in. Prose: `docs/reference/http-api.md`. */

/** Patterns in the syntax of the router; `:name` is one path segment. */
export const routes = {
  info: '/',
  health: '/healthz',
  ready: '/readyz',
  openapi: '/openapi.json',

  publish: '/queue/publish',
  publishMany: '/queue/publish-many',
  claimBare: '/queue/claim',
  list: '/queue/list',
  stats: '/queue/stats',
  status: '/queue/status/:job',
  cancel: '/queue/cancel/:job',
  send: '/queue/send/:job',
  children: '/queue/children/:job',
  journal: '/queue/journal/:job',
  journalBatches: '/queue/journal-batches/:job',
  logs: '/queue/logs/:job',
  replay: '/queue/replay/:job',
  logEvents: '/queue/logs/:job/events',
  events: '/queue/events',

  modules: '/modules',
  repin: '/modules/repin',
  candidate: '/modules/candidate',
  module: '/modules/:hash',
  moduleFile: '/modules/:hash/file',
  nodes: '/nodes',
  nodeBan: '/nodes/:node/ban',
  nodeAllow: '/nodes/:node/allow',
  nodeRename: '/nodes/:node/rename',
  tickets: '/tickets',
  ticketRevoke: '/tickets/:ticket/revoke',

  join: '/peer/join',
  claim: '/peer/claim',
  heartbeat: '/peer/heartbeat',
  append: '/peer/append',
  finish: '/peer/finish',
  peerJournal: '/peer/journal/:job',
  peerInbox: '/peer/inbox',
  peerErrand: '/peer/errand',
  peerModule: '/peer/module/:hash',
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
