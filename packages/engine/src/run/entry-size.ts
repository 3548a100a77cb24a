/** About how many bytes an entry takes in the journal: its variable parts and a flat rate for the rest. */
import type { Answer, InsideIntent, Intent, JournalEntry } from '@mvm-ci/protocol';

const flatBytes = 32;

/** Within some ten percent of the entry's encoded length, without encoding it. Texts count by their characters. */
export const entryBytes = (entry: JournalEntry): number => {
  switch (entry.kind) {
    case 'started':
      return 8 * flatBytes + entry.input.length;
    case 'intents':
      return flatBytes + sum(entry.intents, intentBytes);
    case 'answered':
      return flatBytes + answerBytes(entry.answer);
    case 'completed':
    case 'ran':
      return flatBytes + entry.result.length;
    case 'failed':
      return flatBytes + entry.message.length;
  }
};

/** The same for an answer. */
export const answerBytes = (answer: Answer): number => {
  switch (answer.type) {
    case 'fetched': {
      const { url, headers, body } = answer.response;
      return flatBytes + url.length + headersBytes(headers) + body.length;
    }
    case 'slept':
      return 0;
    case 'error':
      return answer.message.length;
    case 'message':
      return answer.messageType.length + answer.data.length;
    case 'joined':
      return answer.outcome.type === 'completed' ? answer.outcome.result.length : flatBytes;
    case 'started':
    case 'sent':
      return flatBytes;
  }
};

/** The same for one intent. */
export const intentBytes = (intent: Intent): number => {
  switch (intent.type) {
    case 'fetch':
      return flatBytes + intent.url.length + headersBytes(intent.headers) + (intent.body?.length ?? 0);
    case 'sleep':
    case 'abandon':
      return flatBytes;
    case 'log':
    case 'progress':
      return flatBytes + intent.text.length;
    case 'complete':
      return flatBytes + intent.result.length;
    case 'fail':
      return flatBytes + intent.message.length + intent.stack.length;
    default:
      return insideBytes(intent);
  }
};

const insideBytes = (intent: InsideIntent): number => {
  switch (intent.type) {
    case 'receive':
      return flatBytes + sum(intent.types ?? [], (type) => type.length);
    case 'start':
      return flatBytes + intent.workflow.length + intent.input.length;
    case 'send':
      return flatBytes + intent.messageType.length + intent.data.length;
    case 'respond':
      return flatBytes + intent.value.length;
    case 'join':
      return flatBytes + intent.job.length;
    case 'group':
      return flatBytes + intent.name.length;
    case 'version':
      return flatBytes + intent.change.length;
  }
};

const headersBytes = (headers: readonly (readonly [string, string])[]): number =>
  sum(headers, ([name, value]) => name.length + value.length + 4);

const sum = <T>(items: readonly T[], bytes: (item: T) => number): number =>
  items.reduce((total, item) => total + bytes(item), 0);
