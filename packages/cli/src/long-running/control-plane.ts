import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { admitModule } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import type { LendEngine, Logger } from '@mvm-ci/protocol';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { defaultDataFolder } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { peerOptions } from '../peer-plane.ts';
import { exitCodes } from '../output/failure.ts';
import { socketAddress } from '../socket-address.ts';
import { systemRandom } from '../system-random.ts';
import { EngineBeside } from './engine-beside.ts';

/** Serves until it is told to stop. @returns the exit code */
export const serveControlPlane = async (context: CommandContext): Promise<number> => {
  const { host } = context;
  const asked = Promise.withResolvers<'drain'>();
  const forced = Promise.withResolvers<'stop'>();
  const end = answerInterrupts(host, { drain: () => asked.resolve('drain'), stop: () => forced.resolve('stop') });
  const logger = openLogger(context);
  try {
    const engine = await EngineBeside.open(context, logger);
    const plane = await open(context, logger, engine.lend);
    await engine.serve().catch(async (error: unknown) => {
      await engine.stop();
      await plane.stop();
      throw error;
    });
    showReady(context, plane, engine.url);
    await asked.promise;
    // The engine first: the runs that it gives back are still taken here.
    const drained = engine.stop().then(() => plane.stop());
    const how = await Promise.race([drained.then(() => 'drained'), forced.promise]);
    return how === 'stop' ? exitCodes.failed : exitCodes.ok;
  } finally {
    end();
  }
};

const open = (context: CommandContext, logger: Logger, lend: LendEngine | undefined): Promise<ControlPlane> => {
  const { config, host } = context;
  const { leaseMs, heartbeatMs, idleHeartbeatMs, compactAfter } = config;
  return startControlPlane({
    data: pathFrom(host, config.data ?? defaultDataFolder),
    admit: (file) => admitModule(file),
    http: socketAddress(config.http),
    token: config.token,
    peer: { ...peerOptions(config), advertise: config.advertise },
    periods: { leaseMs, heartbeatMs, idleHeartbeatMs },
    compactAfterMs: compactAfter === 'off' ? Number.POSITIVE_INFINITY : compactAfter * 1_000,
    lend,
    logger,
    clock: systemClock,
    random: systemRandom,
  });
};

const showReady = ({ terminal, host }: CommandContext, plane: ControlPlane, flawless: string | null): void => {
  const { httpUrl, node, cluster, ticket, ticketPath } = plane;
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
