import { engineLimits } from '@mvm-ci/engine';
import { limits, MvmError } from '@mvm-ci/protocol';
import { parseEngineSetting, workerLimits } from '@mvm-ci/worker';
import type { Keep } from '@mvm-ci/control';
import { z } from 'zod';
import { timeMs } from '../duration.ts';

// The levels of our own log, most talkative first.
const cliLogLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
type CliLogLevel = (typeof cliLogLevels)[number];

// The samplers of OpenTelemetry's own names.
const tracesSamplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
type TracesSampler = (typeof tracesSamplers)[number];

/**
 * All settings, checked and frozen; `docs/reference/config.md` lists them with their flags, variables and defaults.
 * Undefined: nobody set it, and there is no default.
 */
export interface Config {
  /** Base URL of the control plane that commands talk to. */
  readonly url: string;
  /** Operator's token: what commands send, and what a control plane demands. */
  readonly token: string | undefined;
  /** The control plane's data folder. */
  readonly data: string | undefined;
  /** Folder of a worker's key: another one, since a key belongs to one process. */
  readonly workerData: string | undefined;
  /** Address at which a worker tells of its health and its metrics. */
  readonly workerHttp: string | undefined;
  /** Address of the control plane's HTTP listener. */
  readonly http: string;
  /** UDP addresses of the peer endpoint. */
  readonly bind: readonly string[] | undefined;
  readonly ticket: string | undefined;
  /** File where the control plane writes its ticket too, for workers that share nothing else with it. */
  readonly ticketCopy: string | undefined;
  /** Ticket of the commands that talk to a control plane, which then go over iroh. */
  readonly clientTicket: string | undefined;
  /** Folder of the keys of those commands. */
  readonly clientData: string;
  /** Seconds after which a worker that could not join gives up. */
  readonly joinTimeout: number | undefined;
  /** `none`, `default` or the URL of a relay. */
  readonly relay: string;
  readonly discovery: 'none' | 'default';
  /** Addresses of the control plane that it can't see itself, for its tickets. */
  readonly advertise: readonly string[] | undefined;
  readonly slots: number;
  /** What a worker has, for jobs that need it. */
  readonly tags: readonly string[] | undefined;
  /** Queues that a worker takes jobs of. */
  readonly queues: readonly string[] | undefined;
  readonly name: string | undefined;
  /** Engine threads. */
  readonly threads: number | undefined;
  /** Seconds that a drain gives to the jobs that run. */
  readonly grace: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly idleHeartbeatMs: number;
  /** Seconds after a job's end when its journal is packed, or `off`. */
  readonly compactAfter: number | 'off';
  /** What is kept of jobs that are over, by state. */
  readonly keepCompleted: Keep | undefined;
  readonly keepFailed: Keep | undefined;
  readonly keepCancelled: Keep | undefined;
  /** Folder of the jobs that are not kept. */
  readonly archive: string | undefined;
  /** Where the engine server listens, `HOST:PORT`, or `off`: none beside the control plane. */
  readonly flawless: string | undefined;
  /** The engine server's data folder. */
  readonly flawlessData: string | undefined;
  /** Whether an engine server keeps jobs of its own. */
  readonly jobs: 'on' | 'off';
  /** Runs at the same time that a process takes from others. */
  readonly maxRuns: number | undefined;
  readonly logLevel: CliLogLevel;
  /** Where a worker's jobs run: `parseEngineSetting` of the worker package reads it. */
  readonly flawlessUrl: string | undefined;
  /** Bearer token of engine servers: what a worker sends, and what a server demands. */
  readonly flawlessToken: string | undefined;
  /** File of the secrets that workflows may send. */
  readonly secrets: string | undefined;
  /** Whether a control plane lends its engine to its workers. */
  readonly engine: 'on' | 'off';
  /** Base URL of a collector of traces (OTLP over HTTP). */
  readonly otlp: string | undefined;
  /** The whole URL for traces, in its place. */
  readonly otlpTraces: string | undefined;
  /** Headers of requests to it. */
  readonly otlpHeaders: Readonly<Record<string, string>> | undefined;
  /** The name under which this process's spans are shown. */
  readonly otelService: string | undefined;
  readonly otelDisabled: 'true' | 'false';
  readonly tracesSampler: TracesSampler;
  /** Ratio of the samplers that have one. */
  readonly tracesSamplerArg: number | undefined;
}

/** The name of a setting: also its key in the file, and its flag in camel case. */
export type ConfigKey = keyof Config;

/** Where a control plane keeps its data unless told otherwise; relative to the current folder. */
export const defaultDataFolder = '.mvm-ci/control-plane';

/** Where an engine server keeps its jobs and its token unless told otherwise; relative to the current folder. */
export const defaultFlawlessFolder = '.mvm-ci/flawless';

/** Where an engine server listens unless told otherwise. */
export const defaultFlawless = '127.0.0.1:27288';

/** What holds when nobody says otherwise. */
export const defaults: Partial<Config> = {
  url: 'http://localhost:3020',
  http: '127.0.0.1:3020',
  slots: workerLimits.slotsDefault,
  grace: workerLimits.drainGraceMs / 1_000,
  leaseMs: 2_000,
  heartbeatMs: 500,
  idleHeartbeatMs: 60_000,
  compactAfter: 60,
  logLevel: 'info',
  clientData: '.mvm-ci/client',
  relay: 'none',
  discovery: 'none',
  engine: 'on',
  jobs: 'on',
  otelDisabled: 'false',
  tracesSampler: 'parentbased_always_on',
};

/** The environment variable of each setting that has one. */
export const environment: Readonly<Partial<Record<ConfigKey, string>>> = {
  url: 'MVM_CI_URL',
  token: 'MVM_CI_TOKEN',
  data: 'MVM_CI_DATA',
  workerData: 'MVM_CI_WORKER_DATA',
  http: 'HTTP_PORT',
  workerHttp: 'MVM_CI_WORKER_HTTP',
  ticket: 'CONTROL_PLANE_TICKET',
  ticketCopy: 'MVM_CI_TICKET_COPY',
  clientTicket: 'MVM_CI_TICKET',
  clientData: 'MVM_CI_CLIENT_DATA',
  joinTimeout: 'MVM_CI_JOIN_TIMEOUT',
  relay: 'MVM_CI_RELAY',
  discovery: 'MVM_CI_DISCOVERY',
  advertise: 'MVM_CI_ADVERTISE',
  leaseMs: 'MVM_CI_LEASE_MS',
  slots: 'MVM_CI_SLOTS',
  tags: 'MVM_CI_TAGS',
  queues: 'MVM_CI_QUEUES',
  name: 'MVM_CI_NAME',
  threads: 'MVM_CI_THREADS',
  grace: 'MVM_CI_GRACE',
  flawless: 'MVM_CI_FLAWLESS',
  jobs: 'MVM_CI_JOBS',
  maxRuns: 'MVM_CI_MAX_RUNS',
  logLevel: 'RUST_LOG',
  flawlessUrl: 'FLAWLESS_URL',
  flawlessToken: 'FLAWLESS_TOKEN',
  secrets: 'MVM_CI_SECRETS',
  engine: 'MVM_CI_ENGINE',
  otlp: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  otlpTraces: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  otlpHeaders: 'OTEL_EXPORTER_OTLP_HEADERS',
  otelService: 'OTEL_SERVICE_NAME',
  otelDisabled: 'OTEL_SDK_DISABLED',
  tracesSampler: 'OTEL_TRACES_SAMPLER',
  tracesSamplerArg: 'OTEL_TRACES_SAMPLER_ARG',
};

/** The environment variable that names the file of a setting, for what should be in no environment. */
export const fileEnvironment: Readonly<Partial<Record<ConfigKey, string>>> = {
  token: 'MVM_CI_TOKEN_FILE',
  flawlessToken: 'FLAWLESS_TOKEN_FILE',
};

const number = (isAllowed: (value: number) => boolean, rule: string): z.ZodType<number> =>
  z.preprocess(
    (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    z.custom<number>((value) => typeof value === 'number' && isAllowed(value), rule),
  );
const count = (max: number): z.ZodType<number> =>
  number((value) => Number.isInteger(value) && value >= 1 && value <= max, `a whole number from 1 to ${max}`);
const milliseconds = count(3_600_000);
const secondsRule = 'a number of seconds from 0 to 3600, or a duration such as 30s or 2m';
const seconds: z.ZodType<number> = z.preprocess(
  (value) => {
    const ms = typeof value === 'string' ? timeMs(value) : undefined;
    return ms === undefined ? value : ms / 1_000;
  },
  number((value) => value >= 0 && value <= 3_600, secondsRule),
);
const compactSeconds = number((value) => value >= 0 && value <= 31_536_000, 'a number of seconds');
const text = z.string('text').min(1, 'text that is not empty');

const relayRule = 'none, default, or the URL of a relay that begins with https:// or http://';
const socketRule = 'HOST:PORT, such as 127.0.0.1:3020 or [::1]:3020';
const socket = z
  .string(socketRule)
  .regex(/^(?:[^\s:[\]]+|\[[0-9a-fA-F:.%]+\]):\d{1,5}$/, { error: socketRule, abort: true })
  .refine((address) => portOf(address) < 65_536, 'an address whose port is below 65536');

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

// HTTP_PORT of older set-ups holds a port alone.
const listener = z.preprocess(
  (value) => (typeof value === 'string' && /^\d+$/.test(value) ? `127.0.0.1:${value}` : value),
  socket,
);

const sockets = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',') : value),
  z.array(socket, `one or more of ${socketRule}`).min(1),
);

// RUST_LOG may hold directives for parts of a Rust program, such as `warn,mvm_ci=debug`: the one without a part counts.
const level = z.preprocess(
  (value) => {
    if (typeof value !== 'string') return value;
    const general = value.split(',').findLast((directive) => !directive.includes('='));
    return general?.trim().toLowerCase().replace(/^off$/, 'silent') ?? defaults.logLevel;
  },
  z.enum(cliLogLevels, `one of ${cliLogLevels.join(', ')}`),
);

const nameRule = `letters, digits and . _ : - only, at most ${limits.idCharsMax}, starting with a letter or digit`;
const name = z
  .string(nameRule)
  .max(limits.idCharsMax, nameRule)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, nameRule);

const keepRule = 'a time (30d), a number of jobs (100000), or both (30d,100000)';
const keep = z.string(keepRule).transform((value, context): Keep => {
  const parts = value.split(',').map((part) => part.trim());
  const times = parts.flatMap((part) => timeMs(part) ?? []);
  const counts = parts.flatMap((part) => (/^\d{1,12}$/.test(part) ? [Number(part)] : []));
  if (times.length > 1 || counts.length > 1 || times.length + counts.length !== parts.length)
    context.addIssue({ code: 'custom', message: keepRule });
  return { ms: times[0] ?? null, count: counts[0] ?? null };
});

const names = (max: number): z.ZodType<readonly string[]> =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value),
    z.array(name, `one or more names, comma-separated`).min(1).max(max),
  );

// The parser names the rule that a wrong text breaks.
const enginePlace = z.string('text').superRefine((value, context) => {
  try {
    parseEngineSetting(value);
  } catch (error) {
    const rule = error instanceof MvmError ? String(error.details?.['rule']) : String(error);
    context.addIssue({ code: 'custom', message: rule });
  }
});

const httpUrl = z.url({ protocol: /^https?$/, error: 'a URL that begins with http:// or https://' });
const lowered = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value);

// `key=value` pairs with commas between them, percent-encoded as in the header Baggage.
const headersRule = 'key=value, or several of them with commas between';
const headers = z.preprocess(
  (value) => (typeof value === 'string' ? pairsOf(value) : value),
  z.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, headersRule), z.string(headersRule), headersRule),
);

const pairsOf = (written: string): Readonly<Record<string, string>> | undefined => {
  try {
    const pairs = written.split(',').map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return [pair.slice(0, Math.max(at, 0)).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    });
    return Object.fromEntries(pairs);
  } catch {
    return undefined;
  }
};

/** The rule of each setting; text from the environment and from flags is read as what the setting needs. */
export const schemas: { readonly [K in ConfigKey]: z.ZodType<NonNullable<Config[K]>> } = {
  url: httpUrl,
  token: text,
  data: text,
  workerData: text,
  http: listener,
  workerHttp: socket,
  bind: sockets,
  ticket: text,
  ticketCopy: text,
  clientTicket: text,
  clientData: text,
  joinTimeout: number((value) => value > 0 && value <= 86_400, 'a number of seconds above 0, at most 86400'),
  relay: z.union([z.enum(['none', 'default']), z.url({ protocol: /^https?$/ })], relayRule),
  discovery: z.enum(['none', 'default'], 'none or default'),
  advertise: sockets,
  slots: count(workerLimits.slotsMax),
  tags: names(limits.tagsMax),
  queues: names(limits.claimQueuesMax),
  name,
  threads: count(256),
  grace: seconds,
  leaseMs: milliseconds,
  heartbeatMs: milliseconds,
  idleHeartbeatMs: milliseconds,
  keepCompleted: keep,
  keepFailed: keep,
  keepCancelled: keep,
  archive: text,
  compactAfter: z.union([z.literal('off'), compactSeconds], 'a number of seconds from 0 to 31536000, or off'),
  flawless: z.union([z.literal('off'), socket], `${socketRule}, or off`),
  flawlessData: text,
  maxRuns: count(engineLimits.servedRunsMax),
  logLevel: level,
  flawlessUrl: enginePlace,
  flawlessToken: text,
  secrets: text,
  engine: z.enum(['on', 'off'], 'on or off'),
  jobs: z.enum(['on', 'off'], 'on or off'),
  otlp: httpUrl,
  otlpTraces: httpUrl,
  otlpHeaders: headers,
  otelService: text,
  otelDisabled: z.preprocess(lowered, z.enum(['true', 'false'], 'true or false')),
  tracesSampler: z.enum(tracesSamplers, `one of ${tracesSamplers.join(', ')}`),
  tracesSamplerArg: number((value) => value >= 0 && value <= 1, 'a number from 0 to 1'),
};
