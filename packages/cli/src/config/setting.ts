import { engineLimits } from '@mvm-ci/engine';
import { limits, MvmError } from '@mvm-ci/protocol';
import { parseEngineSetting, workerLimits } from '@mvm-ci/worker';
import { z } from 'zod';

// The levels of our own log, most talkative first.
const cliLogLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
type CliLogLevel = (typeof cliLogLevels)[number];

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
  /** Address of the control plane's HTTP listener. */
  readonly http: string;
  /** UDP addresses of the peer endpoint. */
  readonly bind: readonly string[] | undefined;
  readonly ticket: string | undefined;
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
  idleHeartbeatMs: 15_000,
  compactAfter: 60,
  logLevel: 'info',
  clientData: '.mvm-ci/client',
  relay: 'none',
  discovery: 'none',
  engine: 'on',
  jobs: 'on',
};

/** The environment variable of each setting that has one. */
export const environment: Readonly<Partial<Record<ConfigKey, string>>> = {
  url: 'MVM_CI_URL',
  token: 'MVM_CI_TOKEN',
  data: 'MVM_CI_DATA',
  workerData: 'MVM_CI_WORKER_DATA',
  http: 'HTTP_PORT',
  ticket: 'CONTROL_PLANE_TICKET',
  clientTicket: 'MVM_CI_TICKET',
  clientData: 'MVM_CI_CLIENT_DATA',
  joinTimeout: 'MVM_CI_JOIN_TIMEOUT',
  relay: 'MVM_CI_RELAY',
  discovery: 'MVM_CI_DISCOVERY',
  advertise: 'MVM_CI_ADVERTISE',
  slots: 'MVM_CI_SLOTS',
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
};

const number = (isAllowed: (value: number) => boolean, rule: string): z.ZodType<number> =>
  z.preprocess(
    (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    z.custom<number>((value) => typeof value === 'number' && isAllowed(value), rule),
  );
const count = (max: number): z.ZodType<number> =>
  number((value) => Number.isInteger(value) && value >= 1 && value <= max, `a whole number from 1 to ${max}`);
const milliseconds = count(3_600_000);
const seconds = number((value) => value >= 0 && value <= 3_600, 'a number of seconds from 0 to 3600');
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

// The parser names the rule that a wrong text breaks.
const enginePlace = z.string('text').superRefine((value, context) => {
  try {
    parseEngineSetting(value);
  } catch (error) {
    const rule = error instanceof MvmError ? String(error.details?.['rule']) : String(error);
    context.addIssue({ code: 'custom', message: rule });
  }
});

/** The rule of each setting; text from the environment and from flags is read as what the setting needs. */
export const schemas: { readonly [K in ConfigKey]: z.ZodType<NonNullable<Config[K]>> } = {
  url: z.url({ protocol: /^https?$/, error: 'a URL that begins with http:// or https://' }),
  token: text,
  data: text,
  workerData: text,
  http: listener,
  bind: sockets,
  ticket: text,
  clientTicket: text,
  clientData: text,
  joinTimeout: number((value) => value > 0 && value <= 86_400, 'a number of seconds above 0, at most 86400'),
  relay: z.union([z.enum(['none', 'default']), z.url({ protocol: /^https?$/ })], relayRule),
  discovery: z.enum(['none', 'default'], 'none or default'),
  advertise: sockets,
  slots: count(workerLimits.slotsMax),
  name,
  threads: count(256),
  grace: seconds,
  leaseMs: milliseconds,
  heartbeatMs: milliseconds,
  idleHeartbeatMs: milliseconds,
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
};
