import { asMvmError, errorBody, type MvmError } from '@mvm-ci/protocol';
import { CommanderError } from 'commander';
import { ArgumentError } from '../argument-error.ts';
import type { Host } from '../host.ts';

/** Exit codes: `docs/reference/cli.md`. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

const newTicket = 'Whoever operates the control plane makes tickets with: npx mvm-ci ticket create';

/** What to do about an error, where the message alone doesn't say. */
const advice: Readonly<Record<string, string>> = {
  CONTROL_PLANE_UNREACHABLE:
    'See that the control plane runs and that its UDP port is open from here. Its ticket names where it is: take a recent one.',
  CONNECTION_LOST:
    'Start a control plane with: npx mvm-ci control-plane. Or name another one with --url or MVM_CI_URL.',
  UNAUTHENTICATED: 'Give the operator token with --token or MVM_CI_TOKEN, or name the data folder with --data.',
  TICKET_INVALID: 'The control plane prints its ticket when it starts, and keeps it in <data>/endpoint.ticket.',
  TICKET_EXPIRED: newTicket,
  TICKET_REVOKED: newTicket,
  TICKET_USED_UP: `${newTicket}. A worker with a folder for its key (--data) is the same node when it comes again.`,
  TICKET_OF_ANOTHER_CLUSTER: newTicket,
  TICKET_NOT_FOUND: 'List the tickets with: npx mvm-ci ticket list',
  NODE_NOT_FOUND: 'List the nodes with: npx mvm-ci nodes',
  JOB_NOT_FOUND: 'List the jobs with: npx mvm-ci list',
  MODULE_NOT_FOUND: 'List the modules with: npx mvm-ci modules. Deploy one with: npx mvm-ci deploy DIR',
  MODULE_EXISTS: 'A version never changes: raise "version" in package.json and deploy again.',
};

/** The same for the commands of an engine server. */
const engineAdvice: Readonly<Record<string, string>> = {
  ...advice,
  CONNECTION_LOST: 'Start an engine server with: npx flawless up. Or name another one with --url or FLAWLESS_URL.',
  UNAUTHENTICATED: 'Give its token with --token or FLAWLESS_TOKEN, or name its data folder with --data.',
  JOB_NOT_FOUND: 'List the jobs with: npx flawless list',
  MODULE_NOT_FOUND: 'List the modules with: npx flawless modules. Deploy one with: npx flawless deploy PATH',
  MODULE_EXISTS: 'A version never changes: raise the version that the module names, or give another one with --as.',
};

/** Tells what went wrong on stderr, and what to do about it. @returns the exit code */
export const reportFailure = (thrown: unknown, host: Host, isJson: boolean): number => {
  if (thrown instanceof CommanderError) return reportUsage(thrown, host, isJson);
  const error = asMvmError(thrown);
  if (isJson) host.stderr.write(`${JSON.stringify(errorBody(error.toRecord()))}\n`);
  else host.stderr.write(humanText(error, host.args[0] === 'flawless' ? engineAdvice : advice));
  return isUsageError(error) ? exitCodes.usage : exitCodes.failed;
};

// The same codes also come from a control plane, about what a program sent: only those about arguments are the user's.
const isUsageError = (error: MvmError): boolean => error instanceof ArgumentError || usageCodes.has(error.code);

const usageCodes: ReadonlySet<string> = new Set([
  'CONFIG_INVALID',
  'TICKET_INVALID',
  'TICKET_EXPIRED',
  'TICKET_REVOKED',
  'TICKET_USED_UP',
  'TICKET_OF_ANOTHER_CLUSTER',
]);

const adviceFor = (error: MvmError, known: typeof advice): string | undefined =>
  error.code === 'CONFIG_INVALID' ? configAdvice(error.message) : known[error.code];

const configAdvice = (message: string): string | undefined => {
  if (message.includes('EADDRINUSE'))
    return 'Another program, perhaps another one of ours, has this port: give a free one with --http HOST:PORT (for an engine server beside a control plane with --flawless).';
  if (message.includes('uses the data folder'))
    return 'End that one first, or give this one a folder of its own with --data DIR (and a port of its own with --http).';
  return undefined;
};

const humanText = (error: MvmError, known: typeof advice): string => {
  const hint = adviceFor(error, known);
  const trace = error.code === 'INTERNAL' && error.cause instanceof Error ? `\n${error.cause.stack ?? ''}` : '';
  return `error ${error.code}: ${error.message}${trace}\n${hint === undefined ? '' : `${hint}\n`}`;
};

/** Commander has written its own text already, unless JSON was asked for. */
const reportUsage = (error: CommanderError, host: Host, isJson: boolean): number => {
  if (error.exitCode === 0) return exitCodes.ok;
  const message = error.message.replace(/^error: /, '');
  if (isJson) host.stderr.write(`${JSON.stringify(errorBody({ code: 'INVALID_ARGUMENT', message }))}\n`);
  return exitCodes.usage;
};
