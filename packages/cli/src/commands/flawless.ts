import { registerCancel } from './cancel.ts';
import { registerDeploy } from './deploy.ts';
import { registerRun } from './flawless/run.ts';
import { engineServer } from './flawless/server.ts';
import { registerUp } from './flawless/up.ts';
import { registerJournal } from './journal.ts';
import { registerList } from './list.ts';
import { registerLogs } from './logs.ts';
import { registerModules } from './modules.ts';
import type { Registrar } from './registrar.ts';
import { registerReplay } from './replay.ts';
import { registerSend } from './send.ts';
import { registerStatus } from './status.ts';

/** `mvm-ci flawless`, which is also `flawless`: an engine server, and the commands that talk to one */
export const registerFlawless = ({ program, host, exit }: Registrar): void => {
  const group = program.command('flawless').description('an engine server used alone: serve one, and talk to it');
  const registrar = { program: group, host, exit, server: engineServer(host) };
  registerUp(group, registrar);
  registerDeploy(registrar);
  registerRun(group, registrar);
  registerList(registrar);
  registerStatus(registrar);
  registerLogs(registrar);
  registerJournal(registrar);
  registerReplay(registrar);
  registerSend(registrar);
  registerCancel(registrar);
  registerModules(registrar);
};
