import type { NodeConnectionView, NodeView } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { ArgumentError } from '../argument-error.ts';
import { openContext, withClientOptions } from '../command-context.ts';
import { timeText } from '../output/job-view.ts';
import type { Column, Paint } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci nodes [list]|ban|allow|rename` */
export const registerNodes = (registrar: Registrar): void => {
  const group = registrar.program
    .command('nodes')
    .description('list, ban, allow and rename the nodes that have joined');
  const list = registerList(group, registrar);
  group.addHelpText('after', () => optionsText(list));
  group.addHelpText('after', examples('nodes', 'nodes ban build-7', 'nodes rename 8a88e3 build-7'));
  registerBan(group, registrar);
  registerAllow(group, registrar);
  registerRename(group, registrar);
};

const columns = (paint: Paint): readonly Column<NodeView>[] => [
  { head: 'NODE', cell: ({ node }) => node.slice(0, 10) },
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'ROLE', cell: ({ role }) => role },
  { head: 'STATE', cell: (node) => stateText(node, paint) },
  { head: 'JOBS', cell: ({ jobs }) => String(jobs) },
  { head: 'PATH', cell: ({ connection }) => pathText(connection) },
  { head: 'CHANGES', cell: ({ connection }) => (connection === null ? '' : String(connection.path_changes)) },
  { head: 'CONNECTED', cell: ({ connection }) => (connection === null ? '' : timeText(connection.connected_at_ms)) },
  { head: 'SEEN', cell: (node) => timeText(node.seen_at_ms) },
  { head: 'TAGS', cell: ({ tags }) => tags.join(', ') },
];

const stateText = ({ banned_at_ms: bannedAt, alive, draining, connection }: NodeView, paint: Paint): string => {
  if (bannedAt !== null) return paint.red('banned');
  if (draining) return connection === null ? paint.dim('drained') : paint.yellow('drains');
  return alive ? paint.green('here') : paint.dim('gone');
};

const pathText = (connection: NodeConnectionView | null): string => {
  const path = connection?.paths.find(({ selected }) => selected);
  return path === undefined ? '' : `${path.kind} ${path.remote} ${path.rtt_ms.toFixed(1)} ms`;
};

const listHelp = `
STATE is gone when a node's leases ran out in silence, when it waits for jobs and does not answer this command within 1.5 s,
when its connection broke while it waited, or when it was not heard of for two idle heartbeats and 5 s (125 s, unless the
control plane has other periods).
PATH is how packets go between the node and the control plane now, with the round trip; CHANGES how often that path was
seen to be another one since it connected. --json has all paths, and the reasons of bans.
${examples('nodes list', 'nodes --json')}`;

const registerList = (group: Command, { host }: Registrar): Command => {
  const list = group.command('list', { isDefault: true });
  return withClientOptions(list.description('list all nodes that ever joined, the last seen first'))
    .addHelpText('after', listHelp)
    .allowExcessArguments()
    .action(async (flags: object, { args }: Command) => {
      demandCommand(group, args[0]);
      const { terminal, client } = openContext(host, flags);
      const nodes = await client().nodes();
      const lastFirst = nodes.toSorted((one, other) => other.seen_at_ms - one.seen_at_ms);
      terminal.result(nodes, () => terminal.table(lastFirst, columns(terminal.paint), 'no nodes have joined'));
    });
};

// What begins no other command of the group reaches its default one.
const demandCommand = (group: Command, word: string | undefined): void => {
  if (word === undefined) return;
  const names = group.commands.map((command) => command.name());
  throw new ArgumentError('INVALID_ARGUMENT', `there is no command "nodes ${word}": use one of ${names.join(', ')}`);
};

/** The options that every command of the group has. */
const optionsText = (command: Command): string => {
  const help = command.createHelp();
  const lines = help
    .visibleOptions(command)
    .map((option) => help.formatItem(help.optionTerm(option), termWidth, help.optionDescription(option), help));
  return `\nOptions of each of them:\n${lines.join('\n')}\n`;
};

const termWidth = 22;

const nodeHelp = 'NODE is a node id, the beginning of one, or the name of one node.';

const banHelp = `
${nodeHelp} A ban holds at once: the node's connections are closed, its jobs
go on elsewhere, and its worker process ends. It also survives restarts, until mvm-ci nodes allow NODE.
${examples('nodes ban build-7 --reason "disk is failing"', 'nodes ban 8a88e3')}`;

const registerBan = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('ban <node>').description('shut a node out'))
    .option('--reason <text>', 'what the node and whoever looks at it later are told')
    .addHelpText('after', banHelp)
    .action(async (text: string, flags: { readonly reason?: string }) => {
      const { terminal, client } = openContext(host, flags);
      const node = await client().banNode(text, { reason: flags.reason });
      terminal.result(node, () => `node ${node.node} (${node.name}) is banned`);
    });
};

const registerAllow = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('allow <node>').description('end the ban of a node'))
    .addHelpText(
      'after',
      `\n${nodeHelp} It may join again with its key, and needs no ticket.\n${examples('nodes allow build-7')}`,
    )
    .action(async (text: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const node = await client().allowNode(text);
      terminal.result(node, () => `node ${node.node} (${node.name}) may join again`);
    });
};

const registerRename = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('rename <node> <name>').description('give a node another name'))
    .addHelpText(
      'after',
      `\n${nodeHelp} What it calls itself counts no more.\n${examples('nodes rename 8a88e3 build-7')}`,
    )
    .action(async (text: string, name: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const node = await client().renameNode(text, name);
      terminal.result(node, () => `node ${node.node} is named ${node.name}`);
    });
};
