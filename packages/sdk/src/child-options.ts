/** How a child job is queued: what an author may say about it, and what the control plane calls that. */
import { checkName, checkWhole, wrong } from './effect-rules.ts';
import { limits } from './limits.ts';

/** Options of a child's place in its queue. */
export interface QueueOptions {
  /** @default 'default' */
  readonly queue?: string | undefined;
  /** -100 to 100, higher first. @default 0 */
  readonly priority?: number | undefined;
  /** Whom it is for: the keys of a queue take turns, and limits count by key. @default none */
  readonly key?: string | undefined;
  /** Tags that its worker must have. @default none */
  readonly requires?: readonly string[] | undefined;
  /** For searching. @default none */
  readonly tags?: readonly string[] | undefined;
  /** Not before so many milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** It fails when no worker has begun it for so long after it could run. @default never */
  readonly startTimeoutMs?: number | undefined;
  /** An attempt fails so long after its first claim. @default never */
  readonly attemptTimeoutMs?: number | undefined;
  /** It fails so long after it was started. @default never */
  readonly timeoutMs?: number | undefined;
}

/**
 * The options as the control plane names them; undefined: none is given.
 *
 * @throws {TypeError} for a value that an option can't have.
 */
export const queueOptions = (options: QueueOptions): Readonly<Record<string, unknown>> | undefined => {
  const { queue, priority, key, requires, tags, delayMs, startTimeoutMs, attemptTimeoutMs, timeoutMs } = options;
  const named = [
    ['queue', queue, checkId],
    ['priority', priority, checkPriority],
    ['key', key, checkName],
    ['requires', requires, checkTags],
    ['tags', tags, checkTags],
    ['delay_ms', delayMs, checkDelay],
    ['start_timeout_ms', startTimeoutMs, checkTimeout],
    ['attempt_timeout_ms', attemptTimeoutMs, checkTimeout],
    ['timeout_ms', timeoutMs, checkTimeout],
  ] as const;
  const given = named.filter(([, value]) => value !== undefined);
  for (const [name, value, check] of given) check(`the option ${inAuthorsWords(name)}`, value);
  return given.length === 0 ? undefined : Object.fromEntries<unknown>(given.map(([name, value]) => [name, value]));
};

const inAuthorsWords = (name: string): string =>
  name.replaceAll(/_(?<letter>[a-z])/g, (_, letter: string) => letter.toUpperCase());

const idPattern = /^[A-Za-z\d][A-Za-z\d._:-]*$/;

const checkId = (what: string, id: unknown): void => {
  checkName(what, id);
  if (!idPattern.test(String(id))) throw wrong(`${what}: letters, digits and . _ : -, a letter or digit first`, id);
};

const checkTags = (what: string, tags: unknown): void => {
  if (!Array.isArray(tags) || tags.length > limits.tagsMax)
    throw wrong(`${what}: at most ${limits.tagsMax} tags`, tags);
  for (const tag of tags) checkId(`each of ${what}`, tag);
};

const checkPriority = (what: string, priority: unknown): void =>
  checkWhole(what, priority, { from: -limits.priorityMax, to: limits.priorityMax });

const checkDelay = (what: string, ms: unknown): void => checkWhole(what, ms, { from: 0, to: limits.durationMsMax });

const checkTimeout = (what: string, ms: unknown): void => checkWhole(what, ms, { from: 1, to: limits.durationMsMax });
