/**
 * Answers the commands of one `flawless` guest. Each becomes the intents of any other guest, or is answered from the
 * activation alone; its answer is the crate's `Output` as JSON text.
 */
import { secretPlaceholder, type Answer } from '@mvm-ci/protocol';
import type { Coroutine, StartEvent, TakenAnswer } from '../blocking/coroutine.ts';
import { engineLimits } from '../../limits.ts';
import { ProgramEnd } from '../blocking/program-end.ts';
import { RandomStream } from '../wasi/random-stream.ts';
import { parseCommand, type FlawlessCommand, type FlawlessDuration, type FlawlessLog } from './command.ts';
import { durationMs, fetchOf, httpOutput } from './http-form.ts';
import { randomValue } from './random-value.ts';

type Output = string | Promise<string>;

const unit = JSON.stringify('Unit');
const logLevels = [
  ['Error', 'error'],
  ['Warn', 'warn'],
  ['Info', 'info'],
  ['Debug', 'debug'],
  ['Trace', 'debug'],
] as const;

export class CommandDesk {
  readonly #start: StartEvent;
  readonly #calls: Coroutine;
  readonly #random: RandomStream;
  /** `name@version` of the guest's own module, in which it names workflows. */
  readonly #module: string;
  #response: string | undefined;
  #lastError = '';

  constructor(start: StartEvent, calls: Coroutine, module: string) {
    this.#start = start;
    this.#calls = calls;
    this.#random = new RandomStream(start.seed, 'flawless');
    this.#module = module;
  }

  /** What the guest responded, JSON text; null when it didn't. */
  get response(): string {
    return this.#response ?? 'null';
  }

  /** The last error that the guest logged: a panic says so before it traps. */
  get lastError(): string {
    return this.#lastError;
  }

  /** @throws {GuestFault} `GUEST_PROTOCOL` for a command that isn't known */
  submit(json: string): Output {
    const command = parseCommand(json);
    switch (command.name) {
      case 'GetInput':
        return JSON.stringify({ String: this.#start.input });
      case 'TimeNow':
        return JSON.stringify({ Time: systemTime(this.#calls.now) });
      case 'GetSecret':
        return JSON.stringify({ Secret: secretPlaceholder(command.value) });
      // Only said to who replays: it is no part of what the workflow does.
      case 'ReplayDebug':
        return unit;
      case 'Random':
        return this.#draw(command.value);
      case 'Log':
        return this.#log(command.value);
      case 'SendResponse':
        return this.#respond(command.value);
      default:
        return this.#wait(command);
    }
  }

  #wait(
    command: Extract<FlawlessCommand, { name: 'Sleep' | 'HTTPRequest' | 'RecvMessage' | 'StartWorkflow' }>,
  ): Output {
    switch (command.name) {
      case 'Sleep':
        return this.#answered({ type: 'sleep', ms: durationMs(command.value) }, () => 'Unit');
      case 'HTTPRequest':
        return this.#answered(fetchOf(command.value), (answer) => httpOutput(answer, command.value));
      case 'RecvMessage':
        return this.#receive(...command.value);
      case 'StartWorkflow': {
        const [name, input] = command.value;
        const workflow = `${this.#module}/${name}`;
        const start = { type: 'start', job: null, workflow, attemptsMax: 1, detached: true } as const;
        return this.#answered({ ...start, input: jsonOf(input) }, startedOutput);
      }
    }
  }

  #answered(intent: Parameters<Coroutine['ask']>[0], output: (answer: Answer) => unknown): Output {
    const taken = this.#calls.take(this.#calls.ask(intent));
    const json = ({ answer }: TakenAnswer): string => JSON.stringify(output(answer));
    return taken instanceof Promise ? taken.then(json) : json(taken);
  }

  /** A message of one of the types (none: of any), or `Timeout`. */
  #receive(timeout: FlawlessDuration | null, types: readonly string[]): Output {
    const wanted = types.length > 0 ? types : null;
    if (timeout === null) return this.#answered({ type: 'receive', types: wanted }, messageOutput);
    const message = this.#calls.ask({ type: 'receive', types: wanted });
    const timer = this.#calls.ask({ type: 'sleep', ms: durationMs(timeout) });
    const first = ({ call, answer }: TakenAnswer): string => {
      this.#calls.abandon(call === message ? timer : message);
      return JSON.stringify(call === message ? messageOutput(answer) : 'Timeout');
    };
    const taken = this.#calls.take(0);
    return taken instanceof Promise ? taken.then(first) : first(taken);
  }

  #log(lines: FlawlessLog): string {
    for (const [tag, level] of logLevels) {
      const text = cut(lines[tag]);
      if (text !== undefined) this.#calls.note({ type: 'log', level, text });
    }
    this.#lastError = cut(lines.Error) ?? this.#lastError;
    return unit;
  }

  #respond(text: string): string {
    const isFirst = this.#response === undefined;
    if (isFirst) {
      this.#response = jsonOf(text);
      this.#calls.note({ type: 'respond', value: this.#response });
    }
    return JSON.stringify({ ResponseSent: isFirst });
  }

  #draw(types: Readonly<Record<string, unknown>>): string {
    const type = Object.keys(types)[0] ?? '';
    return `{"Value":{${JSON.stringify(type)}:${randomValue(type, this.#random)}}}`;
  }
}

/** A pair of surrogates may have been parted. */
const cut = (line: string | undefined): string | undefined => line?.slice(0, engineLimits.logCharsMax).toWellFormed();

const systemTime = (now: number): unknown => ({
  secs_since_epoch: Math.floor(now / 1_000),
  nanos_since_epoch: (now % 1_000) * 1_000_000,
});

const messageOutput = (answer: Answer): unknown => {
  if (answer.type === 'message') return { Message: [answer.messageType, answer.data] };
  throw refused(answer);
};

/** The crate numbers workflows, and can do nothing with the number. */
const startedOutput = (answer: Answer): unknown => {
  if (answer.type === 'started') return { Value: { I64: 0 } };
  throw refused(answer);
};

/** The crate knows no error here: the attempt ends with ours. */
const refused = (answer: Answer): ProgramEnd => {
  const error =
    answer.type === 'error' ? answer : { code: 'INTERNAL', message: `an answer of the type ${answer.type}` };
  return new ProgramEnd([{ type: 'fail', code: error.code, name: '', message: error.message, stack: '' }]);
};

const jsonOf = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return JSON.stringify(text);
  }
};
