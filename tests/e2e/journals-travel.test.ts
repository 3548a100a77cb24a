/**
 * Journals belong to jobs, not to machines: workers without a disk are killed one after another for a minute, and every
 * job goes on from its journal at another one.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFinal, type JobView } from '@mvm-ci/protocol';
import { EffectAudit, type AuditedJournal } from '@mvm-ci/testkit';
import { Diskless } from './diskless.ts';
import { Receiver, type Handler, type Request } from './receiver.ts';
import { Scene } from './scene.ts';
import { countByJob, unexplained } from './stalls.ts';

/** So many that they take longer than the killing, also where that takes more than a minute. */
const jobs = 400;
const workers = 3;
/** Jobs at once in each worker. */
const slots = 36;
const stages = 6;
const pauseMs = 2_200;
const answerMs = 60;
/** Of one job. */
const requestsAtOnce = 2;
const killingMs = 60_000;
/** What must have happened, or the run has shown nothing. */
const killsMin = 10;
const resumedMin = 150;
const hitsMin = 200;
const deadlineMs = 300_000;

/** A job that a killed worker held: its journal as it was durable then. */
interface Killed {
  readonly atMs: number;
  readonly journal: AuditedJournal;
}

describe('journals that travel', () => {
  it('let every job of a killed worker go on elsewhere from where it was, for a minute of kills', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start(bookingOffice());
    await using diskless = await Diskless.prepare();
    await using scene = await Scene.start({ workers, slots, ...diskless.options });
    await scene.deploy('journey');
    const journey = { workflow: 'journey', input: { url: receiver.url, stages, pauseMs } };
    const [calm = ''] = await scene.publish([{ ...journey, input: { ...journey.input, pauseMs: 1 } }]);
    const undisturbed = await scene.ended(calm, signal);

    const audit = new EffectAudit();
    const ids = await scene.publish(Array.from({ length: jobs }, () => journey));
    const killed = await killForAMinute({ scene, audit, signal });
    const ended = await scene.allEnded(ids, signal);

    assert.equal(undisturbed.status, 'completed', JSON.stringify(undisturbed.error));
    assert.equal(ended.length, jobs);
    for (const job of ended) {
      assert.equal(job.status, 'completed', JSON.stringify(job.error));
      assert.deepEqual(job.result, undisturbed.result);
    }
    assert.deepEqual(await diskless.written(), []);
    assertEnough(killed, ended);
    assertResumed(killed, ended);
    const finals = await journalsOf(scene, ids);
    assertWentOn(killed, finals);
    assertEffects(audit, { requests: receiver.requests, killed, ended });
  });
});

/** Answers after a while, so that requests are in flight at every moment; knows each booking, once. */
const bookingOffice = (): Handler => {
  const booked = new Set<string>();
  return ({ method, path }, respond) => {
    const isBooking = path.startsWith('/book/');
    if (isBooking && method === 'POST') booked.add(path);
    const status = isBooking && !booked.has(path) ? 404 : 200;
    setTimeout(() => respond(status, path.replace(/\?.*/, '')), answerMs);
  };
};

/**
 * Kills the worker that has run for the longest, and starts another, again and again: for a minute, and until enough were in
 * the middle of jobs, or most jobs are over.
 */
const killForAMinute = async (run: {
  readonly scene: Scene;
  readonly audit: EffectAudit;
  readonly signal: AbortSignal;
}): Promise<readonly Killed[]> => {
  const { scene, audit, signal } = run;
  const minute = AbortSignal.timeout(killingMs);
  const killed: Killed[] = [];
  const isEnough = (): boolean => countKills(killed) >= killsMin;
  while (!(minute.aborted && isEnough()) && (await scene.countOver()) < jobs * 0.8) {
    const [victim] = scene.cluster.workers;
    assert.ok(victim);
    const ends = isEnough() ? [minute, signal] : [signal];
    await isInTheMiddle(scene, victim.field('node'), AbortSignal.any(ends));
    const atMs = Date.now();
    const journals = await scene.killWorker(victim, audit);
    killed.push(...journals.map((journal) => ({ atMs, journal })));
    await scene.cluster.addWorker();
  }
  return killed;
};

/** Waits until half of a node's jobs have got on under it, or until `signal` fires. */
const isInTheMiddle = async (scene: Scene, node: string, signal: AbortSignal): Promise<void> => {
  const changes = new Map<string, number>();
  for await (const job of scene.client.events({ signal })) {
    if (job.claimed_by !== node || isFinal(job.status)) continue;
    changes.set(job.job_id, (changes.get(job.job_id) ?? 0) + 1);
    if ([...changes.values()].filter((count) => count > 2).length >= slots / 2) return;
  }
};

const journalsOf = async (scene: Scene, ids: readonly string[]): Promise<readonly AuditedJournal[]> => {
  const journals: AuditedJournal[] = [];
  for (const id of ids) journals.push(await scene.client.journal(id));
  return journals;
};

const hasBegun = ({ journal }: Killed): boolean => journal.entries.length > 1;

/** Kills that hit a worker in the middle of jobs. */
const countKills = (killed: readonly Killed[]): number => new Set(killed.filter(hasBegun).map(({ atMs }) => atMs)).size;

const assertEnough = (killed: readonly Killed[], ended: readonly JobView[]): void => {
  const hits = killed.filter(hasBegun);
  const kills = countKills(killed);
  const resumed = ended.filter((job) => job.resumes > 0).length;
  assert.ok(kills >= killsMin, `only ${kills} workers were killed in the middle of jobs: too little happened`);
  assert.ok(hits.length >= hitsMin, `kills hit only ${hits.length} jobs in the middle: too little happened`);
  assert.ok(resumed >= resumedMin, `only ${resumed} jobs were resumed: too little happened`);
};

/** Each kill is a lease lost; each that found a journal is a resume, and none begins a new attempt. */
const assertResumed = (killed: readonly Killed[], ended: readonly JobView[]): void => {
  const hits = countByJob(killed.filter(hasBegun).map(({ journal }) => journal));
  for (const job of ended) {
    const count = hits.get(job.job_id) ?? 0;
    assert.ok(job.resumes >= count, `job ${job.job_id} was hit ${count} times and resumed ${job.resumes} times`);
    assert.equal(job.attempt, 1);
  }
};

/** What was durable at a kill is the beginning of the journal at the end; each begins once and ends once. */
const assertWentOn = (killed: readonly Killed[], finals: readonly AuditedJournal[]): void => {
  const byJob = new Map(finals.map(({ job_id, entries }) => [job_id, entries]));
  for (const { journal } of killed) {
    const entries = byJob.get(journal.job_id) ?? [];
    assert.deepEqual(entries.slice(0, journal.entries.length), journal.entries);
  }
  for (const { job_id, entries } of finals) {
    const calls = entries.filter(({ kind }) => kind === 'answered').map((entry) => entry['call']);
    assert.equal(new Set(calls).size, calls.length, `job ${job_id} has a call that was answered twice`);
    assert.equal(entries.filter(({ kind }) => kind === 'started').length, 1, `job ${job_id} was started again`);
    assert.equal(entries.filter(({ kind }) => kind === 'completed').length, 1);
  }
};

interface Outcome {
  readonly requests: readonly Request[];
  readonly killed: readonly Killed[];
  readonly ended: readonly JobView[];
}

/** At the receiver: nothing lost, nothing twice, and again only what was in flight when a lease was lost. */
const assertEffects = (audit: EffectAudit, { requests, killed, ended }: Outcome): void => {
  const { duplicated, effects, inFlight, resent } = audit.judge(requests);
  const held = killed.map(({ journal }) => journal);
  assert.deepEqual(unexplained(duplicated, { killed: held, ended, requestsAtOnce }), []);
  assert.ok(resent <= inFlight, `${resent} resent, ${inFlight} were in flight`);
  assert.ok(requests.length - duplicated.length <= effects + inFlight);
  // Of several kills, the first at which the answer was durable.
  const durableAtMs = new Map(
    killed.toReversed().flatMap(({ atMs, journal }) => answeredKeys(journal).map((key) => [key, atMs])),
  );
  const again = requests.filter(({ key, atMs }) => atMs > (durableAtMs.get(key) ?? Number.POSITIVE_INFINITY));
  assert.deepEqual(again, [], 'an effect whose answer was durable at a kill was done again');
  const bookings = requests.filter(({ method }) => method === 'POST').map(({ path }) => path);
  assert.equal(new Set(bookings).size, bookings.length, 'a booking was sent twice');
  assert.equal(bookings.length, (ended.length + 1) * stages, 'a booking is missing');
};

const answeredKeys = ({ job_id, attempt, entries }: AuditedJournal): readonly string[] =>
  entries.filter(({ kind }) => kind === 'answered').map((entry) => `${job_id}:${attempt}:${String(entry['call'])}`);
