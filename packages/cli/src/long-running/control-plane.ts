import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { admitModule } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { defaultDataFolder } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { exitCodes } from '../output/failure.ts';
import { systemRandom } from '../system-random.ts';

/** Serves until it is told to stop. @returns the exit code */
export const serveControlPlane = async (context: CommandContext): Promise<number> => {
  const { host } = context;
  const asked = Promise.withResolvers<'drain'>();
  const forced = Promise.withResolvers<'stop'>();
  const end = answerInterrupts(host, { drain: () => asked.resolve('drain'), stop: () => forced.resolve('stop') });
  try {
    const plane = await open(context);
    showReady(context, plane);
    await asked.promise;
    const how = await Promise.race([plane.stop().then(() => 'drained'), forced.promise]);
    return how === 'stop' ? exitCodes.failed : exitCodes.ok;
  } finally {
    end();
  }
};

const open = (context: CommandContext): Promise<ControlPlane> => {
  const { config, host } = context;
  const { leaseMs, heartbeatMs, idleHeartbeatMs } = config;
  return startControlPlane({
    data: pathFrom(host, config.data ?? defaultDataFolder),
    admit: (file) => admitModule(file),
    http: listenAddress(config.http),
    token: config.token,
    ...(config.bind && { peer: { bind: config.bind } }),
    periods: { leaseMs, heartbeatMs, idleHeartbeatMs },
    logger: openLogger(context),
    clock: systemClock,
    random: systemRandom,
  });
};

const listenAddress = (address: string): { readonly host: string; readonly port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
};

const showReady = ({ terminal, host }: CommandContext, plane: ControlPlane): void => {
  const { httpUrl, node, cluster, ticket, ticketPath } = plane;
  const ready = { ready: 'control-plane', http: httpUrl, node, cluster, ticket, ticketFile: ticketPath, pid: host.pid };
  terminal.result(ready, () =>
    [
      terminal.facts([
        ['HTTP API', httpUrl],
        ['node', node],
        ['ticket', ticket],
        ['ticket file', ticketPath],
      ]),
      '',
      `Start a worker: npx worker --ticket "$(cat ${ticketPath})"`,
    ].join('\n'),
  );
};
