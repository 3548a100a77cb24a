/**
 * What can be wrong between a client and an engine server, as errors that say so. `details.reason` is one word for
 * programs; what may pass by itself is of the class that is tried again, what a setting must mend is CONFIG_INVALID.
 */
import {
  decodeErrorBody,
  engineRoutes,
  errorFromRecord,
  linkHeader,
  linkVersion,
  mvmError,
  type ErrorCode,
  type MvmError,
} from '@mvm-ci/protocol';

/** The head of an answer; header names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface Diagnosis {
  readonly reason: string;
  readonly code: ErrorCode;
  readonly text: string;
}

const byCode: Readonly<Record<string, Diagnosis>> = {
  ENOTFOUND: { reason: 'name', code: 'CONNECTION_LOST', text: 'its host name is not known' },
  EAI_AGAIN: { reason: 'name', code: 'CONNECTION_LOST', text: 'its host name could not be looked up' },
  ECONNREFUSED: { reason: 'refused', code: 'CONNECTION_LOST', text: 'nothing listens there' },
  EHOSTUNREACH: { reason: 'unreachable', code: 'CONNECTION_LOST', text: 'no way leads to that host' },
  ENETUNREACH: { reason: 'unreachable', code: 'CONNECTION_LOST', text: 'no way leads to that network' },
  ETIMEDOUT: { reason: 'timeout', code: 'CONNECTION_LOST', text: 'the host does not answer' },
  EPROTO: { reason: 'tls', code: 'CONFIG_INVALID', text: 'it does not speak TLS: is it http:// instead of https://?' },
};

const noHttp: Diagnosis = {
  reason: 'not-http',
  code: 'CONFIG_INVALID',
  text: 'what listens there does not speak HTTP',
};

/** The error of a request that got no answer. */
export const connectFailure = (url: URL, thrown: unknown): MvmError => {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const { reason, code: ours, text } = diagnosis(code, error);
  return mvmError(ours, `${shown(url)} can't be used: ${text}`, { url: shown(url), reason }, { cause: error });
};

const diagnosis = (code: string, error: Error): Diagnosis => {
  const known = byCode[code];
  if (known) return known;
  if (code.startsWith('HPE_')) return noHttp;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|UNKNOWN_PROTOCOL/.test(code) && byCode['EPROTO']) return byCode['EPROTO'];
  if (/CERT|SIGNATURE|^ERR_(?:TLS|SSL)/.test(code))
    return { reason: 'tls', code: 'CONFIG_INVALID', text: `its certificate is not good: ${error.message}` };
  return { reason: 'lost', code: 'CONNECTION_LOST', text: `the connection was lost: ${error.message || code}` };
};

/** How far a request had come when its deadline passed. */
export type Progress = 'connecting' | 'sent' | 'answered';

/** The error of a request whose deadline passed. */
export const lateFailure = (url: URL, progress: Progress, deadlineMs: number): MvmError =>
  mvmError('DEADLINE_EXCEEDED', `${shown(url)} can't be used: ${late[progress]} within ${deadlineMs} ms`, {
    url: shown(url),
    reason: progress === 'connecting' ? 'timeout' : 'held-back',
    deadlineMs,
  });

const through = 'a proxy in between must let bodies through as they come, in both directions';
const late: Readonly<Record<Progress, string>> = {
  connecting: 'no connection came about',
  sent: `the connection stands, but no answer came (${through})`,
  answered: `it answered, but what was sent did not come back (${through})`,
};

/** Whether an answer's head opens a link of our version. */
export const isLinkHead = ({ status, headers }: AnswerHead): boolean =>
  status === 200 && headers[linkHeader] === String(linkVersion);

/** Why an answer does not open a link, from its head and the beginning of its body. */
export const linkRefusal = (url: URL, head: AnswerHead, body: string): MvmError => {
  const { status } = head;
  const details = { url: shown(url), status };
  const told = errorIn(body);
  if (told) return errorFromRecord({ ...told.toRecord(), message: `${shown(url)}: ${told.message}`, details });
  const [code, reason, text] = unfit(head);
  return mvmError(code, `${shown(url)} can't be used: ${text}`, { ...details, reason });
};

const unfit = ({ status, headers }: AnswerHead): readonly [ErrorCode, string, string] => {
  const link = headers[linkHeader];
  if (status === 200 && typeof link === 'string')
    return [
      'CONFIG_INVALID',
      'version',
      `it speaks version ${link} of the engine link, this is version ${linkVersion}`,
    ];
  if (status >= 300 && status < 400)
    return ['CONFIG_INVALID', 'redirect', `it redirects to ${String(headers['location'])}: name that address instead`];
  if (status === 401) return ['UNAUTHENTICATED', 'token', 'it demands another token (status 401)'];
  if (status === 403) return ['FORBIDDEN', 'forbidden', 'access is forbidden (status 403)'];
  if (status === 502 || status === 503 || status === 504)
    return ['UNAVAILABLE', 'gateway', `a gateway answered with status ${status}`];
  return ['CONFIG_INVALID', 'not-an-engine-server', `it is not an engine server: ${answered(status, headers)}`];
};

const answered = (status: number, headers: AnswerHead['headers']): string => {
  const type = String(headers['content-type'] ?? 'no type').split(';')[0];
  return `POST ${engineRoutes.link} is answered with status ${status} and ${type}`;
};

/** The error of our kind in a body, when there is one. */
const errorIn = (body: string): MvmError | undefined => {
  try {
    const error = decodeErrorBody(JSON.parse(body), '');
    return error.message === '' ? undefined : error;
  } catch {
    return undefined;
  }
};

/** The error of a stream that broke off. */
export const streamLost = (cause: unknown): MvmError =>
  mvmError('CONNECTION_LOST', 'the connection was lost', { reason: 'lost' }, { cause });

// A URL may hold a password.
const shown = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`;
