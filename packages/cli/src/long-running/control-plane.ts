import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { admitModule } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import type { LendEngine, Logger, Tracer } from '@mvm-ci/protocol';
import { fileURLToPath } from 'node:url';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { defaultDataFolder } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { peerOptions } from '../peer-plane.ts';
import { exitCodes } from '../output/failure.ts';
import { socketAddress } from '../socket-address.ts';
import { systemRandom } from '../system-random.ts';
import { writeTicketCopy } from '../ticket-copy.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import { EngineBeside } from './engine-beside.ts';

/** Serves until it is told to stop. @returns the exit code */
export const serveControlPlane = async (context: CommandContext): Promise<number> => {
  const { host } = context;
  const asked = Promise.withResolvers<'drain'>();
  const forced = Promise.withResolvers<'stop'>();
  const end = answerInterrupts(host, { drain: () => asked.resolve('drain'), stop: () => forced.resolve('stop') });
  const logger = openLogger(context);
  const tracing = await openTracing(context.config, 'control-plane', logger);
  try {
    const engine = await EngineBeside.open(context, logger, tracing.tracer);
    const plane = await open(context, { logger, tracer: tracing.tracer, lend: engine.lend });
    logger.setBindings({ node: plane.node });
    engine.keepBlobsAt(plane);
    await openDoors(context, engine, plane).catch(async (error: unknown) => {
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
    await tracing.stop();
    end();
  }
};

/** Lets the engine's users and the workers in. */
const openDoors = async (
  { host, config }: CommandContext,
  engine: EngineBeside,
  { ticket }: ControlPlane,
): Promise<void> => {
  await engine.serve();
  if (config.ticketCopy !== undefined) writeTicketCopy(pathFrom(host, config.ticketCopy), ticket);
};

interface PlaneParts {
  readonly logger: Logger;
  readonly tracer: Tracer | undefined;
  readonly lend: LendEngine | undefined;
}

const open = ({ config, host }: CommandContext, parts: PlaneParts): Promise<ControlPlane> => {
  const { leaseMs, heartbeatMs, idleHeartbeatMs, compactAfter } = config;
  return startControlPlane({
    data: pathFrom(host, config.data ?? defaultDataFolder),
    admit: (file) => admitModule(file),
    http: socketAddress(config.http),
    token: config.token,
    dashboard: dashboardFolder(),
    peer: { ...peerOptions(config), advertise: config.advertise },
    periods: { leaseMs, heartbeatMs, idleHeartbeatMs },
    retention: { completed: config.keepCompleted, failed: config.keepFailed, cancelled: config.keepCancelled },
    archive: config.archive === undefined ? undefined : pathFrom(host, config.archive),
    compactAfterMs: compactAfter === 'off' ? Number.POSITIVE_INFINITY : compactAfter * 1_000,
    ...parts,
    clock: systemClock,
    random: systemRandom,
  });
};

/** Where the dashboard's files are, once they are built. */
const dashboardFolder = (): string =>
  fileURLToPath(new URL('dist', import.meta.resolve('@mvm-ci/dashboard/package.json')));

const showReady = ({ terminal, host }: CommandContext, plane: ControlPlane, flawless: string | null): void => {
  const { httpUrl, node, cluster, ticket, ticketPath } = plane;
  const named = { ready: 'control-plane', http: httpUrl, flawless, node, cluster, ticket, ticketFile: ticketPath };
  terminal.result({ ...named, pid: host.pid }, () =>
    [
      terminal.facts([
        ['HTTP API', httpUrl],
        ['dashboard', `${httpUrl}/dashboard/`],
        ['engine server', flawless ?? 'none'],
        ['node', node],
        ['ticket', ticket],
        ['ticket file', ticketPath],
        ['pid', String(host.pid)],
      ]),
      '',
      `Start a worker: npx worker --ticket "$(cat ${ticketPath})"`,
    ].join('\n'),
  );
};
