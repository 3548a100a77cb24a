import type { Command } from 'commander';
import type { CommandHost } from '../host.ts';
import { registerBuild } from './build.ts';
import { registerCancel } from './cancel.ts';
import { registerControlPlane } from './control-plane.ts';
import { registerDeploy } from './deploy.ts';
import { registerFlawless } from './flawless.ts';
import { registerEvents } from './events.ts';
import { registerJournal } from './journal.ts';
import { registerList } from './list.ts';
import { registerLogs } from './logs.ts';
import { registerModules } from './modules.ts';
import { registerNodes } from './nodes.ts';
import { registerPublish } from './publish.ts';
import { registerReplay } from './replay.ts';
import { registerRun } from './run.ts';
import { registerSend } from './send.ts';
import { registerStats } from './stats.ts';
import { registerStatus } from './status.ts';
import { registerTicket } from './ticket.ts';
import { controlPlaneServer } from './registrar.ts';
import { registerWorker } from './worker.ts';

const commands = [
  registerControlPlane,
  registerWorker,
  registerFlawless,
  registerBuild,
  registerDeploy,
  registerPublish,
  registerRun,
  registerStatus,
  registerList,
  registerStats,
  registerJournal,
  registerReplay,
  registerLogs,
  registerSend,
  registerCancel,
  registerEvents,
  registerModules,
  registerNodes,
  registerTicket,
];

/** Puts every command on the command line, in the order in which a new user meets them. */
export const registerCommands = (program: Command, host: CommandHost, exit: (code: number) => void): void => {
  const server = controlPlaneServer(host);
  for (const register of commands) register({ program, host, server, exit });
};
