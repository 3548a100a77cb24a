import type { Command } from 'commander';
import type { CommandHost } from '../host.ts';
import { registerBackup, registerDoctor, registerRestore } from './backup.ts';
import { registerBlob } from './blob.ts';
import { registerBuild } from './build.ts';
import { registerCancel } from './cancel.ts';
import { registerControlPlane } from './control-plane.ts';
import { registerDeploy } from './deploy.ts';
import { registerFlawless } from './flawless.ts';
import { registerEvents } from './events.ts';
import { registerJournal } from './journal.ts';
import { registerList } from './list.ts';
import { registerLoad } from './load.ts';
import { registerLogs } from './logs.ts';
import { registerMove } from './move.ts';
import { registerModules } from './modules.ts';
import { registerDrain } from './drain.ts';
import { registerNodes } from './nodes.ts';
import { registerPlan } from './plan.ts';
import { registerPublish } from './publish.ts';
import { registerQuery } from './query.ts';
import { registerQueue } from './queue.ts';
import { registerReplay } from './replay.ts';
import { registerRetry } from './retry.ts';
import { registerRun } from './run.ts';
import { registerSchedule } from './schedule.ts';
import { registerSend } from './send.ts';
import { registerStats } from './stats.ts';
import { registerStatus } from './status.ts';
import { registerTicket } from './ticket.ts';
import { controlPlaneServer } from './registrar.ts';
import { registerWebhook } from './webhook.ts';
import { registerWhy } from './why.ts';
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
  registerWhy,
  registerList,
  registerStats,
  registerJournal,
  registerReplay,
  registerLogs,
  registerSend,
  registerQuery,
  registerCancel,
  registerMove,
  registerRetry,
  registerQueue,
  registerSchedule,
  registerWebhook,
  registerEvents,
  registerModules,
  registerBlob,
  registerNodes,
  registerDrain,
  registerTicket,
  registerBackup,
  registerRestore,
  registerDoctor,
  registerLoad,
  registerPlan,
];

/** Puts every command on the command line, in the order in which a new user meets them. */
export const registerCommands = (program: Command, host: CommandHost, exit: (code: number) => void): void => {
  const server = controlPlaneServer(host);
  for (const register of commands) register({ program, host, server, exit });
};
