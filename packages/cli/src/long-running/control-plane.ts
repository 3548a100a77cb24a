import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { admitModule } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import type { Logger } from '@mvm-ci/protocol';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { defaultDataFolder, defaultFlawless } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { peerOptions } from '../peer-plane.ts';
import { exitCodes } from '../output/failure.ts';
import { socketAddress } from '../socket-address.ts';
import { systemRandom } from '../system-random.ts';
import { openEngineService } from './engine-service.ts';
import { openServer } from './flawless.ts';

/** Serves until it is told to stop. @returns the exit code */
export const serveControlPlane = async (context: CommandContext): Promise<number> => {
  const { host } = context;
  const asked = Promise.withResolvers<'drain'>();
  const forced = Promise.withResolvers<'stop'>();
  const end = answerInterrupts(host, { drain: () => asked.resolve('drain'), stop: () => forced.resolve('stop') });
  const logger = openLogger(context);
  try {
    const plane = await open(context, logger);
    const beside = await openBeside(context, logger).catch(async (error: unknown) => {
      await plane.stop();
      throw error;
    });
    showReady(context, plane, beside);
    await asked.promise;
    // The engine server first: the runs that it gives back are still taken here.
    const drained = (beside ? beside.stop() : Promise.resolve()).then(() => plane.stop());
    const how = await Promise.race([drained.then(() => 'drained'), forced.promise]);
    return how === 'stop' ? exitCodes.failed : exitCodes.ok;
  } finally {
    end();
  }
};

const open = (context: CommandContext, logger: Logger): Promise<ControlPlane> => {
  const { config, host } = context;
  const { leaseMs, heartbeatMs, idleHeartbeatMs } = config;
  return startControlPlane({
    data: pathFrom(host, config.data ?? defaultDataFolder),
    admit: (file) => admitModule(file),
    http: socketAddress(config.http),
    token: config.token,
    peer: { ...peerOptions(config), advertise: config.advertise },
    periods: { leaseMs, heartbeatMs, idleHeartbeatMs },
    logger,
    clock: systemClock,
    random: systemRandom,
  });
};

/** The engine server beside the control plane. */
interface Beside {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts it, unless it is off. That its usual port is taken by another one is no error when nobody asked for that port. */
const openBeside = async (context: CommandContext, logger: Logger): Promise<Beside | undefined> => {
  const { config, host } = context;
  if (config.flawless === 'off') return undefined;
  const service = await openEngineService({ config, logger });
  try {
    const folder = pathFrom(host, config.data ?? defaultDataFolder);
    const { server } = await openServer({ context, service, folder, logger });
    return {
      url: server.url,
      stop: async () => {
        await server.stop({ graceMs: 0 });
        await service.stop();
      },
    };
  } catch (error) {
    await service.stop();
    if (config.flawless !== undefined) throw error;
    logger.warn({ err: error, flawless: defaultFlawless }, 'no engine server beside this control plane');
    return undefined;
  }
};

const showReady = ({ terminal, host }: CommandContext, plane: ControlPlane, beside: Beside | undefined): void => {
  const { httpUrl, node, cluster, ticket, ticketPath } = plane;
  const flawless = beside?.url ?? null;
  const named = { ready: 'control-plane', http: httpUrl, flawless, node, cluster, ticket, ticketFile: ticketPath };
  terminal.result({ ...named, pid: host.pid }, () =>
    [
      terminal.facts([
        ['HTTP API', httpUrl],
        ['engine server', flawless ?? 'none'],
        ['node', node],
        ['ticket', ticket],
        ['ticket file', ticketPath],
      ]),
      '',
      `Start a worker: npx worker --ticket "$(cat ${ticketPath})"`,
    ].join('\n'),
  );
};
