import {
  defaultQueue,
  limits,
  type KeyLimits,
  type QueueChange,
  type QueueView,
  type RateRule,
} from '@mvm-ci/protocol';
import { InvalidArgumentError, type Command } from 'commander';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import { shortText, wholeNumber } from '../option-value.ts';
import type { Column } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci queue [list]|show|pause|resume|drain|set` */
export const registerQueue = (registrar: Registrar): void => {
  const group = registrar.program
    .command('queue')
    .description('list, pause, resume, drain and limit queues')
    .addHelpText('after', examples('queue', 'queue pause mail', 'queue set default --concurrency 20 --rate 100/1s'));
  registerList(group, registrar);
  registerShow(group, registrar);
  registerMode(group, registrar, {
    name: 'pause',
    mode: 'paused',
    description: 'give no more jobs of a queue to workers; it goes on taking them',
  });
  registerMode(group, registrar, { name: 'resume', mode: null, description: 'open a queue again' });
  registerMode(group, registrar, {
    name: 'drain',
    mode: 'draining',
    description: 'take no new jobs into a queue; those that it has run',
  });
  registerSet(group, registrar);
};

const columns: readonly Column<QueueView>[] = [
  { head: 'QUEUE', cell: ({ queue }) => queue },
  { head: 'MODE', cell: ({ mode }) => mode },
  { head: 'READY', cell: ({ ready }) => String(ready) },
  { head: 'RUNNING', cell: ({ running }) => String(running) },
  { head: 'KEYS', cell: ({ ready_keys: keys }) => String(keys) },
  { head: 'LIMITS', cell: ({ settings }) => limitText(settings) },
];

const limitText = ({ concurrency, rate, pending_max: room, each_key: each, keys }: QueueView['settings']): string =>
  [
    keyLimitText({ concurrency, rate }),
    room === undefined ? '' : `room for ${room}`,
    each === undefined ? '' : `each key: ${keyLimitText(each)}`,
    ...Object.entries(keys ?? {}).map(([key, own]) => `${key}: ${keyLimitText(own)}`),
  ]
    .filter((part) => part !== '')
    .join('; ');

const keyLimitText = ({ concurrency, rate }: KeyLimits): string =>
  [
    concurrency === undefined ? '' : `${concurrency} at once`,
    rate === undefined ? '' : `${rate.count} in ${rate.per_ms} ms`,
  ]
    .filter((part) => part !== '')
    .join(', ');

const show = ({ terminal }: CommandContext, view: QueueView): void =>
  terminal.result(view, () => terminal.table([view], columns, ''));

const registerList = (group: Command, { host }: Registrar): void => {
  withClientOptions(
    group.command('list', { isDefault: true }).description('queues with settings, or with jobs that could run'),
  ).action(async (flags: object) => {
    const { terminal, client } = openContext(host, flags);
    const queues = await client().queues();
    terminal.result(queues, () => terminal.table(queues, columns, 'no queues'));
  });
};

const registerShow = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('show [queue]').description(`one queue (default: ${defaultQueue})`)).action(
    async (queue: string | undefined, flags: object) => {
      const context = openContext(host, flags);
      show(context, await context.client().queue(queue ?? defaultQueue));
    },
  );
};

interface ModeCommand {
  readonly name: string;
  readonly mode: QueueChange['mode'];
  readonly description: string;
}

const registerMode = (group: Command, { host }: Registrar, { name, mode, description }: ModeCommand): void => {
  withClientOptions(group.command(`${name} [queue]`).description(description)).action(
    async (queue: string | undefined, flags: object) => {
      const context = openContext(host, flags);
      show(context, await context.client().setQueue(queue ?? defaultQueue, { mode }));
    },
  );
};

interface SetFlags {
  readonly key?: string;
  readonly eachKey?: boolean;
  readonly concurrency?: number | null;
  readonly rate?: RateRule | null;
  readonly room?: number | null;
}

const setHelp = `
Every limit takes "off" as well. A rate is COUNT/TIME: so many claims in any time of that length, such as 10/1s or 500/1m.
With --key the limits are for that key of the queue alone, with --each-key for every key that has none of its own.
${examples('queue set default --concurrency 20', 'queue set mail --rate 100/1m --room 50000', 'queue set default --each-key --concurrency 2', 'queue set default --key acme --concurrency off')}`;

const registerSet = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('set <queue>').description('limit a queue, or the keys of it'))
    .option('--concurrency <count>', 'jobs at the same time', orOff(wholeNumber(1, limits.queueCountMax)))
    .option('--rate <rate>', 'claims in a time', orOff(rateRule))
    .option(
      '--room <count>',
      'jobs that could run; further ones are refused',
      orOff(wholeNumber(0, limits.queueCountMax)),
    )
    .option('--key <key>', 'for this key', shortText)
    .option('--each-key', 'for each key')
    .addHelpText('after', setHelp)
    .action(async (queue: string, flags: SetFlags, command: Command) => {
      if (flags.key !== undefined && flags.eachKey) command.error('error: give --key or --each-key, not both');
      if ((flags.key !== undefined || flags.eachKey) && flags.room !== undefined)
        command.error('error: --room is for a whole queue');
      const context = openContext(host, flags);
      const connection = context.client();
      const { settings } = await connection.queue(queue);
      show(context, await connection.setQueue(queue, changeOf(flags, settings)));
    });
};

const changeOf = (flags: SetFlags, settings: QueueView['settings']): QueueChange => {
  const { key, eachKey, concurrency, rate, room } = flags;
  const wanted = {
    ...(concurrency !== undefined && { concurrency }),
    ...(rate !== undefined && { rate }),
  };
  if (eachKey) return { each_key: merged(settings.each_key, wanted) };
  if (key === undefined) return { ...wanted, ...(room !== undefined && { pending_max: room }) };
  const own = merged(settings.keys?.[key], wanted);
  const others = Object.entries(settings.keys ?? {}).filter(([name]) => name !== key);
  return { keys: Object.fromEntries([...others, ...(own === null ? [] : [[key, own] as const])]) };
};

/** Null when nothing is left. */
const merged = (
  before: KeyLimits | undefined,
  wanted: { readonly [K in keyof KeyLimits]: KeyLimits[K] | null },
): KeyLimits | null => {
  const { concurrency, rate } = { ...before, ...wanted };
  const kept = { ...(concurrency && { concurrency }), ...(rate && { rate }) };
  return Object.keys(kept).length === 0 ? null : kept;
};

const orOff =
  <T>(read: (text: string) => T): ((text: string) => T | null) =>
  (text) =>
    text === 'off' ? null : read(text);

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const rateRule = (text: string): RateRule => {
  const [, count = '', amount = '1', unit = ''] = /^(\d{1,9})\/(\d{1,9})?(ms|s|m|h|d)$/.exec(text) ?? [];
  const rule = { count: Number(count), per_ms: Number(amount) * (unitMs[unit] ?? 0) };
  if (rule.count > 0 && rule.per_ms > 0) return rule;
  throw new InvalidArgumentError(`it must be COUNT/TIME, such as 10/1s, 500/m or 3/250ms, received "${text}".`);
};
