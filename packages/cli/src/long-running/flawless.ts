import { isLoopback, systemClock } from '@mvm-ci/net';
import { CountedEffects, startEngineServer, type EngineServer, type OwnJobs } from '@mvm-ci/flawless';
import { mvmError, type Logger, type Tracer } from '@mvm-ci/protocol';
import { pathFrom, type CommandContext } from '../command-context.ts';
import { defaultFlawless, defaultFlawlessFolder } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { keptToken } from '../kept-token.ts';
import { performerOf } from './kept-secrets.ts';
import { openLogger } from '../logging.ts';
import { exitCodes } from '../output/failure.ts';
import { socketAddress } from '../socket-address.ts';
import { releaseVersion } from '../version.ts';
import { openEngineService, type EngineService } from './engine-service.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import { OwnJobStore } from './own-jobs.ts';

/** Serves an engine until it is told to stop. @returns the exit code */
export const serveFlawless = async (context: CommandContext): Promise<number> => {
  const { host, config } = context;
  if (config.flawless === 'off')
    throw mvmError('CONFIG_INVALID', 'the engine server is off by MVM_CI_FLAWLESS: give an address with --http');
  const asked = Promise.withResolvers<void>();
  const forced = Promise.withResolvers<'stop'>();
  const end = answerInterrupts(host, { drain: () => asked.resolve(), stop: () => forced.resolve('stop') });
  const logger = openLogger(context);
  const undo = new AsyncDisposableStack();
  const tracing = await openTracing(config, 'flawless', logger);
  undo.defer(() => tracing.stop());
  try {
    const server = await open(context, { logger, tracer: tracing.tracer }, undo);
    await asked.promise;
    const drained = server.stop({ graceMs: config.grace * 1_000 }).then(() => undo.disposeAsync());
    return (await Promise.race([drained, forced.promise])) === 'stop' ? exitCodes.failed : exitCodes.ok;
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  } finally {
    end();
  }
};

/** Opens store, engine, jobs and server, in this order, and says that they are ready; they end in the other order. */
const open = async (
  context: CommandContext,
  { logger, tracer }: { readonly logger: ReturnType<typeof openLogger>; readonly tracer: Tracer | undefined },
  undo: AsyncDisposableStack,
): Promise<EngineServer> => {
  const { host, config } = context;
  const folder = pathFrom(host, config.flawlessData ?? defaultFlawlessFolder);
  const jobs = config.jobs === 'on' ? undo.use(await OwnJobStore.open(folder, logger, tracer)) : undefined;
  const effects = new CountedEffects(performerOf(context, jobs?.blobs), systemClock);
  const service = await openEngineService({
    config,
    logger,
    tracer,
    performer: effects,
    ownModules: (hash) => Promise.resolve(jobs?.module(hash)),
  });
  undo.defer(() => service.stop());
  const opened = await openServer({ context, service, jobs, effects, folder, logger });
  undo.use(opened.server);
  logger.setBindings({ node: opened.server.url });
  // Only now: what can't listen begins nothing.
  await jobs?.run({ service, config });
  undo.defer(() => jobs?.drop());
  showReady(context, opened);
  return opened.server;
};

/** An engine server, and where its token is when one was made. */
export interface OpenedServer {
  readonly server: EngineServer;
  readonly tokenFile: string | undefined;
}

interface OpenServerOptions {
  readonly context: CommandContext;
  readonly service: EngineService;
  /** Performs the effects. @default they are not counted */
  readonly effects?: CountedEffects | undefined;
  /** Jobs of its own. @default none */
  readonly jobs?: OwnJobs | undefined;
  /** Keeps the token, when one must be made. */
  readonly folder: string;
  readonly logger: Logger;
}

/** Starts the engine server that the settings describe. @throws CONFIG_INVALID */
export const openServer = async (options: OpenServerOptions): Promise<OpenedServer> => {
  const { context, service, jobs, effects, folder, logger } = options;
  const { config } = context;
  const http = socketAddress(config.flawless ?? defaultFlawless);
  const needsToken = config.flawlessToken === undefined && !isLoopback(http.host);
  const kept = needsToken ? keptToken(folder, 'flawless.token') : undefined;
  const server = await startEngineServer({
    http,
    token: config.flawlessToken ?? kept?.token,
    links: service.links,
    jobs,
    effects: effects && (() => effects.counts),
    engine: () => service.engine.stats,
    version: releaseVersion,
    logger,
    clock: systemClock,
  });
  return { server, tokenFile: kept?.path };
};

const showReady = ({ terminal, host, config }: CommandContext, { server, tokenFile }: OpenedServer): void => {
  const file = tokenFile === undefined ? {} : { tokenFile };
  terminal.result({ ready: 'flawless', http: server.url, ...file, pid: host.pid }, () =>
    [
      terminal.facts([
        ['engine server', server.url],
        [
          'jobs',
          config.jobs === 'on' ? pathFrom(host, config.flawlessData ?? defaultFlawlessFolder) : 'none of its own',
        ],
        ['pid', String(host.pid)],
        ...(tokenFile === undefined ? [] : ([['token file', tokenFile]] as const)),
      ]),
      '',
      ...(config.jobs === 'on' ? ['Deploy a module: npx flawless deploy PATH'] : []),
      `Let a worker use it: ${settingsOf(server.url, config.flawlessToken, tokenFile)} npx worker --ticket …`,
    ].join('\n'),
  );
};

/** What a worker needs in its environment. An address that stands for all of the machine's is none for others. */
const settingsOf = (url: string, token: string | undefined, tokenFile: string | undefined): string => {
  const reachable = url.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, '//HOST');
  const setting = `FLAWLESS_URL=${reachable}`;
  if (tokenFile !== undefined) return `${setting} FLAWLESS_TOKEN="$(cat ${tokenFile})"`;
  return token === undefined ? setting : `${setting} FLAWLESS_TOKEN=…`;
};
