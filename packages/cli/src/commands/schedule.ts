import { limits, type Published, type ScheduleSpec, type ScheduleView } from '@mvm-ci/protocol';
import { Option, type Command } from 'commander';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import { readInput, wholeNumber, type InputFlags } from '../option-value.ts';
import { timeText } from '../output/job-view.ts';
import type { Column, Paint } from '../output/terminal.ts';
import { pointInTime, queueOptions, withQueueOptions, type QueueFlags } from './queue-options.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci schedule [list]|show|set|pause|resume|trigger|backfill|delete` */
export const registerSchedule = (registrar: Registrar): void => {
  const group = registrar.program
    .command('schedule')
    .description('publish jobs at times of the calendar')
    .addHelpText(
      'after',
      examples(`schedule set nightly crawler --cron '0 3 * * *' --time-zone Europe/Berlin`, 'schedule'),
    );
  registerList(group, registrar);
  registerShow(group, registrar);
  registerSet(group, registrar);
  registerPause(group, registrar, { name: 'pause', paused: true, description: 'let a schedule stand still' });
  registerPause(group, registrar, { name: 'resume', paused: false, description: 'let it go on with its next time' });
  registerTrigger(group, registrar);
  registerBackfill(group, registrar);
  registerDelete(group, registrar);
};

const columns = (paint: Paint): readonly Column<ScheduleView>[] => [
  { head: 'SCHEDULE', cell: ({ schedule }) => schedule },
  { head: 'CRON', cell: ({ spec }) => `${spec.cron} ${spec.time_zone ?? 'UTC'}` },
  { head: 'JOB', cell: ({ spec }) => spec.job.workflow ?? '(payload)' },
  { head: 'NEXT', cell: (view) => nextText(view, paint) },
  { head: 'LAST', cell: ({ last_at_ms: at }) => (at === null ? '' : timeText(at)) },
  { head: 'SKIPPED', cell: ({ skipped }) => String(skipped) },
  { head: 'ERROR', cell: ({ error }) => (error === null ? '' : paint.red(error.code)) },
];

const nextText = ({ spec, next_at_ms: at }: ScheduleView, paint: Paint): string => {
  if (spec.paused === true) return paint.yellow('paused');
  return at === null ? 'never' : timeText(at);
};

const show = ({ terminal }: CommandContext, view: ScheduleView): void =>
  terminal.result(view, () => terminal.table([view], columns(terminal.paint), ''));

const registerList = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('list', { isDefault: true }).description('all schedules')).action(
    async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const schedules = await client().schedules();
      terminal.result(schedules, () => terminal.table(schedules, columns(terminal.paint), 'no schedules'));
    },
  );
};

const registerShow = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('show <name>').description('one schedule')).action(
    async (name: string, flags: object) => {
      const context = openContext(host, flags);
      show(context, await context.client().schedule(name));
    },
  );
};

interface SetFlags extends InputFlags, QueueFlags {
  readonly cron: string;
  readonly timeZone?: string;
  readonly overlap?: ScheduleSpec['overlap'];
  readonly catchUp?: ScheduleSpec['catch_up'];
  readonly attempts?: number;
}

const setHelp = `
CRON is "minute hour day-of-month month day-of-week", with seconds before them when there are six fields, or @hourly, @daily,
@weekly, @monthly. Its time zone is UTC unless it is named. The jobs have the flags of "publish".
${examples(
  `schedule set nightly crawler --cron '0 3 * * *' --time-zone Europe/Berlin --input '{"url":"https://example.org/"}'`,
  `schedule set probe check --cron '*/10 * * * * *' --overlap allow --catch-up none`,
)}`;

const registerSet = (group: Command, { host }: Registrar): void => {
  const command = group.command('set <name> <workflow>').description('set a schedule, or replace what it does');
  withQueueOptions(withClientOptions(command))
    .requiredOption('--cron <expression>', 'when')
    .option('--time-zone <zone>', 'of the IANA database, such as Europe/Berlin (default: UTC)')
    .addOption(
      new Option('--overlap <policy>', 'while the job of an earlier time is not over (default: skip)').choices([
        'skip',
        'allow',
        'cancel',
        'queue',
      ]),
    )
    .addOption(
      new Option('--catch-up <policy>', 'which missed times are made up for (default: last)').choices([
        'last',
        'all',
        'none',
      ]),
    )
    .option('--input <json>', 'what the workflow is called with (default: null)')
    .option('--input-file <file>', 'the same from a file; - is the standard input')
    .option('--attempts <count>', 'how often the workflow may be tried', wholeNumber(1, limits.attemptsMax))
    .addHelpText('after', setHelp)
    .action(async (name: string, workflow: string, flags: SetFlags) => {
      const context = openContext(host, flags);
      const job = {
        workflow,
        input: await readInput(host, flags),
        ...queueOptions(flags),
        ...(flags.attempts !== undefined && { attempts_max: flags.attempts }),
      };
      const { cron, timeZone: time_zone, overlap, catchUp: catch_up } = flags;
      show(context, await context.client().setSchedule(name, { cron, time_zone, job, overlap, catch_up }));
    });
};

interface PauseCommand {
  readonly name: string;
  readonly paused: boolean;
  readonly description: string;
}

const registerPause = (group: Command, { host }: Registrar, { name, paused, description }: PauseCommand): void => {
  withClientOptions(group.command(`${name} <name>`).description(description)).action(
    async (schedule: string, flags: object) => {
      const context = openContext(host, flags);
      const connection = context.client();
      const { spec } = await connection.schedule(schedule);
      show(context, await connection.setSchedule(schedule, { ...spec, paused }));
    },
  );
};

const registerTrigger = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('trigger <name>').description('publish its job now')).action(
    async (name: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const published = await client().triggerSchedule(name);
      terminal.result(published, () => published.job_id);
    },
  );
};

const registerBackfill = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('backfill <name>').description('publish the jobs of all times of a span'))
    .requiredOption('--from <time>', 'the first time that counts, such as 2026-11-01T00:00:00Z', pointInTime)
    .requiredOption('--to <time>', 'the first time that counts no more', pointInTime)
    .action(async (name: string, flags: { readonly from: number; readonly to: number }) => {
      const { terminal, client } = openContext(host, flags);
      const jobs = await client().backfillSchedule(name, { from_ms: flags.from, to_ms: flags.to });
      terminal.result(jobs, () => backfillText(jobs));
    });
};

const backfillText = (jobs: readonly Published[]): string => {
  const fresh = jobs.filter(({ created }) => created).length;
  return `${jobs.length} times: ${fresh} jobs published, ${jobs.length - fresh} were there already`;
};

const registerDelete = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('delete <name>').description('delete a schedule; its jobs stay')).action(
    async (name: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      await client().deleteSchedule(name);
      terminal.result({ deleted: name }, () => `schedule ${name} is deleted`);
    },
  );
};
