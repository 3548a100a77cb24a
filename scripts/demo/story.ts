/**
 * The demo as a list of steps: a cluster, jobs, a kill, and the count.
 *
 * The checks at the end are the demo's promise (design section 11): nothing lost, no effect done twice, and at least one
 * job that went on from its journal; a run in which too little happened fails.
 */
import { once } from 'node:events';
import { createClient, type Client } from '@mvm-ci/client';
import { isFinal, type JobView } from '@mvm-ci/protocol';
import { Cluster, EffectAudit, startSite, type EffectVerdict, type EngineOption, type Site } from '@mvm-ci/testkit';
import pc from 'picocolors';
import { buildDashboard } from '../build/dashboard.ts';
import { Board } from './board.ts';
import { runCli } from './command.ts';
import { JobWatch } from './job-watch.ts';
import { pickVictim, takeDown, type Victim } from './victim.ts';

/** A demo that takes longer hangs. */
const playMsMax = 600_000;

/** What can be chosen. */
export interface DemoOptions {
  /** Where the jobs run. */
  readonly engine: EngineOption;
  readonly jobs: number;
  readonly workers: number;
  /** `host:port` of the HTTP API. */
  readonly http: string;
  readonly keep: boolean;
  readonly json: boolean;
}

/** What the demo counts; printed by `--json`. */
interface DemoSummary {
  readonly jobs: number;
  readonly completed: number;
  readonly attempts: number;
  readonly resumed: number;
  readonly effects: number;
  readonly effectsDuplicated: number;
  readonly effectsResent: number;
  readonly lost: number;
  readonly wallMs: number;
}

interface Stage {
  readonly options: DemoOptions;
  readonly board: Board;
  readonly site: Site;
  readonly cluster: Cluster;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** Runs the demo. @returns the exit code: 0 when the checks hold */
export const runDemo = async (options: DemoOptions, signal: AbortSignal): Promise<number> => {
  const board = new Board(options.json ? process.stderr : process.stdout);
  await prepareDashboard(board);
  await using site = await startSite({ slowMs: 400 });
  await using cluster = await startCluster(options, board);
  const client = createClient({ url: cluster.url });
  const stage: Stage = { options, board, site, cluster, client, signal };
  introduce(stage);
  await deploy(stage);
  const summary = await play(stage);
  report(stage, summary);
  if (options.keep) await keepUp(stage);
  else await end(stage);
  return summary.problems.length === 0 ? 0 : 1;
};

/** The demo goes on without it. */
const prepareDashboard = async (board: Board): Promise<void> => {
  try {
    if (await buildDashboard()) board.say(pc.dim('The dashboard is built.'));
  } catch (error) {
    board.say(pc.yellow(`The dashboard can't be built: ${String(error)}`));
  }
};

const startCluster = async ({ engine, workers, http }: DemoOptions, board: Board): Promise<Cluster> => {
  board.say(pc.bold(`Starting a control plane and ${workers} workers, each a process of its own …`));
  try {
    return await Cluster.start({ engine, workers, http });
  } catch (error) {
    if (!String(error).includes('EADDRINUSE')) throw error;
    board.say(pc.yellow(`${http} is taken, probably by another cluster: using a free port.`));
    return Cluster.start({ engine, workers });
  }
};

const places: Readonly<Record<EngineOption, string>> = {
  embedded: 'in each worker, which has an engine of its own',
  peer: 'in the control plane, which lends its engine to the workers over iroh',
  pool: 'in the pool of engine servers',
  remote: 'in the engine server that all workers share',
};

const introduce = ({ board, cluster, options, site }: Stage): void => {
  board.say(`  control plane  ${cluster.url}  (pid ${cluster.controlPlane.pid}), and iroh with HTTP/3`);
  for (const worker of cluster.workers) {
    const node = worker.field('node').slice(0, 10);
    board.say(`  ${worker.field('name').padEnd(13)}  node ${node}  (pid ${worker.pid}), joined by ticket over iroh`);
  }
  for (const engine of cluster.engines.running)
    board.say(`  engine server  ${engine.field('http')}  (pid ${engine.pid})`);
  board.say(`  jobs run       ${places[options.engine]}`);
  board.say(`  web site       ${site.url}  (real documentation pages, to be crawled)\n`);
};

const deploy = async ({ board, cluster }: Stage): Promise<void> => {
  board.say(pc.dim('$ npx mvm-ci deploy examples/01-crawler'));
  board.say(await runCli(['deploy', 'examples/01-crawler', '--url', cluster.url]));
};

const play = async (stage: Stage): Promise<DemoSummary & { readonly problems: readonly string[] }> => {
  const startedMs = performance.now();
  using watch = new JobWatch(
    stage.client,
    await publish(stage),
    AbortSignal.any([stage.signal, AbortSignal.timeout(playMsMax)]),
  );
  const names = new Map(stage.cluster.workers.map((worker) => [worker.field('node'), worker.field('name')]));
  const audit = new EffectAudit();
  watch.onChange((jobs) => stage.board.draw(jobs, names));
  const victim = await watch.until((jobs) => pickVictim(jobs, stage.cluster, stage.options.jobs));
  const completeAudit = await kill(stage, victim, audit);
  names.set(victim.process.field('node'), `${victim.name} (killed)`);
  const jobs = await watch.untilAllFinal();
  stage.board.done();
  const wallMs = Math.round(performance.now() - startedMs);
  tellWhoWentOn(stage.board, victim, { jobs, names });
  await completeAudit();
  const verdict = audit.judge(stage.site.arrivals());
  return {
    ...summarise(stage.options.jobs, jobs, verdict),
    wallMs,
    problems: problemsOf(stage.options.jobs, jobs, verdict),
  };
};

const publish = async ({ board, client, options, site }: Stage): Promise<readonly string[]> => {
  const input = { url: site.url, maxPages: 14, pauseMs: 150 };
  const published = await client.publishMany(
    Array.from({ length: options.jobs }, () => ({ workflow: 'crawler', input })),
  );
  board.say(`Published ${published.length} jobs: each crawls the site, page by page, with a pause between requests.\n`);
  return published.map((job) => job.job_id);
};

const kill = (
  { board, client, cluster, options }: Stage,
  victim: Victim,
  audit: EffectAudit,
): Promise<() => Promise<void>> => {
  board.say(
    pc.red(
      `kill -9 ${victim.process.pid}: ${victim.name} dies in the middle of ${victim.jobs.length} jobs at least.\n`,
    ),
  );
  return takeDown({ victim, cluster, client, audit, isEngineElsewhere: options.engine === 'peer' });
};

const tellWhoWentOn = (
  board: Board,
  victim: Victim,
  after: { readonly jobs: readonly JobView[]; readonly names: ReadonlyMap<string, string> },
): void => {
  board.say(`\nThe jobs of ${victim.name}, from their journals:`);
  const byId = new Map(after.jobs.map((job) => [job.job_id, job]));
  for (const [id, entries] of victim.entries) {
    const job = byId.get(id);
    const by = after.names.get(job?.completed_by ?? '') ?? 'nobody';
    board.say(`  ${id.slice(-12)}  went on at ${by} after entry ${entries} of ${job?.journal_entries}: ${job?.status}`);
  }
};

const summarise = (
  published: number,
  jobs: readonly JobView[],
  verdict: EffectVerdict,
): Omit<DemoSummary, 'wallMs'> => {
  const completed = jobs.filter((job) => job.status === 'completed').length;
  return {
    jobs: published,
    completed,
    attempts: jobs.reduce((sum, job) => sum + job.attempt, 0),
    resumed: jobs.filter((job) => job.resumes > 0).length,
    effects: verdict.effects,
    effectsDuplicated: verdict.duplicated.length,
    effectsResent: verdict.resent,
    lost: published - jobs.filter((job) => isFinal(job.status)).length,
  };
};

const problemsOf = (published: number, jobs: readonly JobView[], verdict: EffectVerdict): readonly string[] => {
  const unfinished = published - jobs.filter((job) => job.status === 'completed').length;
  return [
    ...(unfinished > 0 ? [`${unfinished} jobs did not complete`] : []),
    ...(verdict.duplicated.length > 0 ? [`effects done twice: ${verdict.duplicated.join(', ')}`] : []),
    ...(verdict.resent > verdict.inFlight
      ? [`${verdict.resent} requests resent, ${verdict.inFlight} were in flight`]
      : []),
    ...(jobs.some((job) => job.resumes > 0) ? [] : ['no job was resumed: the kill hit nothing']),
  ];
};

const report = (
  { board, options }: Stage,
  { problems, ...summary }: DemoSummary & { readonly problems: readonly string[] },
): void => {
  board.say(
    `\n${pc.bold(problems.length === 0 ? pc.green('Nothing lost, nothing done twice.') : pc.red('Not as promised.'))}`,
  );
  for (const problem of problems) board.say(pc.red(`  ${problem}`));
  board.say(`  jobs            ${summary.completed} of ${summary.jobs} completed, in ${summary.attempts} attempts`);
  board.say(`  resumed         ${summary.resumed} jobs went on from their journals on another worker`);
  board.say(
    `  effects         ${summary.effects} requests, ${summary.effectsDuplicated} done twice, ${summary.effectsResent} resent (their answers died with the worker)`,
  );
  board.say(`  wall time       ${(summary.wallMs / 1000).toFixed(1)} s`);
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
};

const keepUp = async ({ board, cluster, signal }: Stage): Promise<void> => {
  const url = cluster.url === 'http://127.0.0.1:3020' ? '' : ` --url ${cluster.url}`;
  board.say(`\nThe cluster stays up, until Ctrl-C. Look around:\n  ${cluster.url}/dashboard/  in a browser`);
  for (const verb of ['list', 'stats', 'status ID', 'journal ID', 'logs ID']) board.say(`  npx mvm-ci ${verb}${url}`);
  board.say(`  curl ${cluster.url}/queue/stats`);
  board.say(`One more worker:\n  npx worker --ticket "$(cat ${cluster.data}/endpoint.ticket)"`);
  if (!signal.aborted) await once(signal, 'abort');
  await cluster.stop();
};

const end = async ({ board, cluster }: Stage): Promise<void> => {
  board.say(
    `\nTo look around in the running cluster, with its dashboard (${cluster.url}/dashboard/): npm run demo -- --keep`,
  );
  board.say('Its API is described in docs/reference/http-api.md, its commands in docs/reference/cli.md.');
  await cluster.stop();
};
