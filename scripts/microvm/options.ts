/** The command line of scripts/run-microvm. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from './command.ts';
import type { Accelerator } from './machine.ts';

/** What the user asked for. */
export interface Options {
  readonly accelerator: Accelerator;
  readonly image: string;
  readonly ticket: string;
  readonly name: string;
  readonly count: number;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly graceSeconds: number;
  readonly environment: readonly string[];
  readonly workerArguments: readonly string[];
  readonly secrets: string | undefined;
  readonly logs: string;
  /** Where the files for Firecracker are written, instead of starting QEMU. */
  readonly firecracker: string | undefined;
  readonly tap: string;
}

/** What --help prints. */
export const usage = `usage: scripts/run-microvm --accel kvm|tcg --ticket FILE [OPTIONS] [-- WORKER-ARGUMENTS]

Starts microVMs under QEMU, with a worker in each, and ends when all have ended: with 0 when every worker did. Interrupt it (SIGINT, SIGTERM) to
drain them: each gets its power button pressed, gives its jobs back and switches off.

  --accel A        kvm: on the processor, needs /dev/kvm; tcg: translated, about ten times slower, runs everywhere
  --ticket FILE    the ticket of the control plane (default: what CONTROL_PLANE_TICKET holds, or the file that it names)
  --image FOLDER   what scripts/build-worker-image made (default .mvm-ci/microvm)
  --count N        how many machines (default 1)
  --name NAME      of the worker (default microvm); with more than one machine NAME-1, NAME-2, …
  --memory MIB     of each machine (default 512)
  --cpus N         of each machine (default 2)
  --grace SECONDS  that running jobs get when a machine is drained (default 20)
  --env KEY=VALUE  a setting of the worker, such as MVM_CI_SLOTS=4; may be repeated
  --secrets FILE   secrets that workflows may send
  --logs FOLDER    of the machines' consoles (default .mvm-ci/microvm/logs)

  --firecracker FOLDER   starts nothing, writes Firecracker's configuration and prints its command; needs no --accel
  --tap PREFIX           of the host's network interfaces for it: PREFIX0, PREFIX1, … (default tap)

What follows -- goes to the worker: scripts/run-microvm … -- --tags gpu --slots 4`;

const numbersMax = { count: 1_000, memory: 1_048_576, cpus: 255, grace: 86_400 } as const;

const flags = {
  accel: { type: 'string' },
  ticket: { type: 'string' },
  secrets: { type: 'string' },
  firecracker: { type: 'string' },
  image: { type: 'string', default: '.mvm-ci/microvm' },
  logs: { type: 'string', default: '.mvm-ci/microvm/logs' },
  name: { type: 'string', default: 'microvm' },
  tap: { type: 'string', default: 'tap' },
  count: { type: 'string', default: '1' },
  memory: { type: 'string', default: '512' },
  cpus: { type: 'string', default: '2' },
  grace: { type: 'string', default: '20' },
  env: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Wrong use of the command line. */
const wrong = (rule: string): UserError => new UserError(`${rule}; --help tells more`);

const numberOf = (name: keyof typeof numbersMax, value: string): number => {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= 1 && number <= numbersMax[name]) return number;
  throw wrong(`--${name} must be a whole number from 1 to ${numbersMax[name]}, not '${value}'`);
};

const acceleratorOf = (value: string | undefined, isUnused: boolean): Accelerator => {
  if (value === 'kvm' || value === 'tcg') return value;
  if (value === undefined && isUnused) return 'kvm';
  throw wrong(`--accel must be kvm or tcg, not '${value ?? ''}': it is never guessed`);
};

const nameOf = (value: string): string => {
  if (/^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$/.test(value)) return value;
  throw wrong(`--name must be up to 63 letters, digits and hyphens, not '${value}'`);
};

const environmentOf = (values: readonly string[]): readonly string[] => {
  for (const value of values) if (!/^[A-Za-z_]\w*=/.test(value)) throw wrong(`--env must be KEY=VALUE, not '${value}'`);
  return values;
};

/** Where options are read from, beside the command line. */
type ReadText = (path: string) => string;

const ticketOf = (flag: string | undefined, variable: string | undefined, readText: ReadText): string => {
  // A ticket on the command line could be read by everybody on the machine.
  if (flag?.startsWith('mvm1') === true)
    throw wrong('--ticket names a file; a ticket itself goes into CONTROL_PLANE_TICKET');
  const given = flag ?? variable ?? '';
  if (given === '') throw wrong('a worker needs a ticket: --ticket FILE or CONTROL_PLANE_TICKET');
  return given.startsWith('mvm1') ? given : readText(given);
};

/** Reads the command line. @returns undefined when help was asked for. @throws UserError with the rule that was broken */
export const optionsFrom = (
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  readText: ReadText,
): Options | undefined => {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: flags });
  if (values.help === true) return undefined;
  return {
    accelerator: acceleratorOf(values.accel, values.firecracker !== undefined),
    image: resolve(values.image),
    ticket: ticketOf(values.ticket, env['CONTROL_PLANE_TICKET'], readText),
    name: nameOf(values.name),
    count: numberOf('count', values.count),
    memoryMib: numberOf('memory', values.memory),
    cpus: numberOf('cpus', values.cpus),
    graceSeconds: numberOf('grace', values.grace),
    environment: environmentOf(values.env ?? []),
    workerArguments: positionals,
    secrets: values.secrets,
    logs: resolve(values.logs),
    firecracker: values.firecracker,
    tap: values.tap,
  };
};
