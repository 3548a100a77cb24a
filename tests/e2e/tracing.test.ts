import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule } from '@mvm-ci/protocol';
import { z } from 'zod';
import { workflowModule } from '@mvm-ci/testkit';
import { Collector, type ReceivedSpan } from './collector.ts';
import { mvmCi } from './command.ts';
import { Receiver, type Request } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 110_000;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const given = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'congo=t61rcWkgMzE' };
const error = 2;

/** Fetches its paths one after another, and starts a child of the other workflow if it is told to. */
const calling = workflowModule(`
  for (const path of input.paths) await get(input.url + path);
  if (job.attempt < input.goodAttempt) throw new Error('not yet');
  if (!input.child) return 'done';
  const { started } = await call({ type: 'start', job: null, workflow: 'calling', input: input.child,
    attemptsMax: 1, detached: false });
  await call({ type: 'join', job: started.job });
  return 'done';
`);

const start = async (collector: string, options: Parameters<typeof Scene.start>[0] = {}): Promise<Scene> => {
  const to = ['--otlp', collector];
  const scene = await Scene.start({ workers: 1, controlPlaneArgs: to, workerArgs: to, engineArgs: to, ...options });
  await scene.client.deploy({ name: 'calling', version: '1', file: encodeModule(calling) });
  return scene;
};

const header = ({ headers }: Request, name: string): string | undefined => {
  const at = headers.findIndex((one, index) => index % 2 === 0 && one.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
};

const spanOf = (request: Request): string | undefined => header(request, 'traceparent')?.split('-')[2];

interface LineAboutJob extends Readonly<Record<string, unknown>> {
  readonly msg: string;
}

const lineSchema: z.ZodType<LineAboutJob> = z.looseObject({ job: z.string(), msg: z.string() });

const linesAboutJobs = (output: string): readonly LineAboutJob[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => lineSchema.safeParse(JSON.parse(line)).data ?? []);

const sorted = (texts: readonly string[]): readonly string[] => texts.toSorted();

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const [found, ...others] = spans.filter((span) => span.name === name);
  assert.ok(found, `no span "${name}" among ${spans.map((span) => span.name).join(', ')}`);
  assert.equal(others.length, 0, `more than one span "${name}"`);
  return found;
};

const inTrace = (span: ReceivedSpan): boolean => span.traceId === traceId;

describe('a traced job', () => {
  for (const engine of ['embedded', 'peer', 'pool', 'remote'] as const) {
    it(`is one tree from its publish to its effects, with the engine ${engine}`, async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using collector = await Collector.start();
      await using receiver = await Receiver.start();
      await using scene = await start(collector.url, { engine });
      const input = { url: receiver.url, paths: ['/a?token=x', '/b'] };
      const { job_id: job } = await scene.client.publish({ workflow: 'calling', input }, given);
      assert.equal((await scene.ended(job, signal)).status, 'completed');

      const spans = await collector.until(5, inTrace, signal);
      const [publish, claim, run] = [
        named(spans, 'publish calling'),
        named(spans, 'claim main'),
        named(spans, 'run main'),
      ];
      assert.equal(publish.parentSpanId, 'b7ad6b7169203331');
      assert.equal(claim.parentSpanId, publish.spanId);
      assert.equal(run.parentSpanId, claim.spanId);
      assert.equal(run.attributes['mvm_ci.job.id'], job);
      const effects = spans.filter((span) => span.name === 'GET');
      assert.deepEqual(
        effects.map((span) => span.parentSpanId),
        [run.spanId, run.spanId],
      );
      assert.deepEqual(
        effects.map((span) => span.attributes['url.full']),
        [`${receiver.url}/a`, `${receiver.url}/b`],
      );
      assert.deepEqual(
        receiver.requests.map(spanOf),
        effects.map((span) => span.spanId),
      );
      for (const request of receiver.requests) {
        assert.ok(header(request, 'traceparent')?.startsWith(`00-${traceId}-`));
        assert.equal(header(request, 'tracestate'), given.tracestate);
      }
    });
  }

  it('goes on in its trace when its worker is killed, with a span for each request that was sent', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const second = Promise.withResolvers<void>();
    await using collector = await Collector.start();
    await using receiver = await Receiver.start(({ path }, respond) => {
      if (path === '/second') void second.promise.then(() => respond(200, path));
      else respond(200, path);
    });
    await using scene = await start(collector.url);
    const input = { url: receiver.url, paths: ['/first', '/second'] };
    const { job_id: job } = await scene.client.publish({ workflow: 'calling', input }, given);
    await receiver.arrivals(1, ({ path }) => path === '/second');
    await collector.until(1, (span) => span.name === 'GET', signal);
    const [killed] = scene.cluster.workers;
    assert.ok(killed);
    await scene.cluster.removeWorker(killed);
    await scene.cluster.addWorker();
    await receiver.arrivals(2, ({ path }) => path === '/second');
    second.resolve();
    assert.equal((await scene.ended(job, signal)).status, 'completed');

    await collector.until(1, (span) => span.name === 'run main', signal);
    const spans = collector.spans.filter(inTrace);
    const run = named(spans, 'run main');
    const claims = spans.filter((span) => span.name === 'claim main');
    assert.equal(claims.length, 2);
    assert.equal(run.attributes['mvm_ci.resumed'], true);
    const effects = spans.filter((span) => span.name === 'GET');
    const [first, again] = effects;
    assert.equal(effects.length, 2, 'the first request once, and the second one of the worker that lived');
    assert.deepEqual(
      run.links.map((link) => link.spanId),
      [first?.parentSpanId],
    );
    assert.equal(again?.parentSpanId, run.spanId);
    const sent = receiver.requests.filter(({ path }) => path === '/second');
    assert.equal(new Set(sent.map(({ key }) => key)).size, 1);
    assert.equal(new Set(sent.map(spanOf)).size, 2);
    assert.equal(spanOf(sent[1] ?? assert.fail()), again?.spanId);
    const { entries } = await scene.client.journal(job);
    assert.ok(!JSON.stringify(entries).includes(traceId), 'the journal knows of no trace');
  });

  it('has a span for each attempt, which links to the one before', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start();
    await using scene = await start(collector.url);
    const input = { url: receiver.url, paths: ['/'], goodAttempt: 2 };
    const backoff = { initial_ms: 1, factor: 1, max_ms: 1 };
    const { job_id: job } = await scene.client.publish({ workflow: 'calling', input, attempts_max: 2, backoff }, given);
    assert.equal((await scene.ended(job, signal)).status, 'completed');
    const runs = await collector.until(2, (span) => span.name === 'run main' && inTrace(span), signal);
    const [failed, completed] = runs.toSorted(
      (a, b) => Number(a.attributes['mvm_ci.job.attempt']) - Number(b.attributes['mvm_ci.job.attempt']),
    );
    assert.ok(failed && completed);
    assert.deepEqual([failed.status.code, completed.status.code ?? 0], [error, 0]);
    assert.deepEqual(
      [failed, completed].map((span) => span.attributes['mvm_ci.job.attempt']),
      [1, 2],
    );
    assert.deepEqual(
      completed.links.map((link) => link.spanId),
      [failed.spanId],
    );
    const effects = await collector.until(2, (span) => span.name === 'GET', signal);
    assert.deepEqual(new Set(effects.map((span) => span.parentSpanId)), new Set(runs.map((span) => span.spanId)));
  });

  it('stays in the trace of its first publish when it is published again from another one', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start();
    await scene.client.deploy({ name: 'calling', version: '1', file: encodeModule(calling) });
    const job = { job_id: 'again', workflow: 'calling', input: { url: receiver.url, paths: ['/'] } };
    const other = '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const first = await scene.client.publish(job, given);
    const second = await scene.client.publish(job, { traceparent: other });
    assert.deepEqual([first.created, second.created], [true, false]);
    await scene.cluster.crashControlPlane();
    await scene.cluster.addWorker();
    await scene.ended('again', signal);
    assert.deepEqual(
      receiver.requests.map((request) => header(request, 'traceparent')),
      [given.traceparent],
    );
  });

  it('has its children in its trace, below the run that started them', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start();
    await using scene = await start(collector.url);
    const child = { url: receiver.url, paths: ['/child'] };
    const input = { url: receiver.url, paths: [], child };
    const { job_id: job } = await scene.client.publish({ workflow: 'calling', input }, given);
    assert.equal((await scene.ended(job, signal)).status, 'completed');
    const [started] = await scene.client.children(job);
    const runs = await collector.until(2, (span) => span.name === 'run main' && inTrace(span), signal);
    const isOf = (id: string | undefined) => (span: ReceivedSpan) => span.attributes['mvm_ci.job.id'] === id;
    const parent = runs.find(isOf(job));
    const claim = collector.spans.find((span) => span.name === 'claim main' && isOf(started?.job_id)(span));
    assert.equal(claim?.parentSpanId, parent?.spanId);
  });
});

describe('a log line about a job', () => {
  it('says job, attempt, node, trace and span, in the control plane, the worker and the engine', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start(({ path }, respond) => {
      if (path !== '/never') respond(200, path);
    });
    const debug = ['--otlp', collector.url, '--log-level', 'debug'];
    await using scene = await start(collector.url, { controlPlaneArgs: debug, workerArgs: debug });
    const input = { url: receiver.url, paths: ['/'] };
    const completed = await scene.client.publish({ workflow: 'calling', input }, given);
    await scene.ended(completed.job_id, signal);
    const never = { ...input, paths: ['/never'] };
    const cancelled = await scene.client.publish({ workflow: 'calling', input: never }, given);
    await receiver.arrivals(1, ({ path }) => path === '/never');
    await scene.client.cancel(cancelled.job_id);
    const [worker] = scene.cluster.workers;
    assert.ok(worker);
    await worker.says('job cancelled', signal);

    const { controlPlane } = scene.cluster;
    const expected = [
      [controlPlane, ['job published', 'job handed to a worker', 'job published', 'job handed to a worker']],
      [worker, ['job claimed', 'job completed', 'job claimed', 'a run is cancelled', 'job cancelled']],
    ] as const;
    for (const [process, texts] of expected) {
      const lines = linesAboutJobs(process.output);
      assert.deepEqual(sorted(lines.map((line) => line.msg)), sorted(texts));
      for (const { attempt, node, trace_id, span_id } of lines) {
        assert.deepEqual([attempt, node, trace_id], [1, process.field('node'), traceId]);
        assert.match(String(span_id), /^[0-9a-f]{16}$/);
      }
    }
  });
});

describe('tracing', () => {
  it('begins a trace where none is given, or a malformed one, and takes the job', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start();
    await using scene = await start(collector.url);
    const input = { url: receiver.url, paths: ['/'] };
    const wrong = ['', 'nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `ff-${traceId}-b7ad6b7169203331-01`];
    const ids: string[] = [];
    for (const traceparent of [undefined, ...wrong])
      ids.push((await scene.client.publish({ workflow: 'calling', input }, { traceparent })).job_id);
    for (const job of await scene.allEnded(ids, signal)) assert.equal(job.status, 'completed');
    const publishes = await collector.until(5, (span) => span.name === 'publish calling', signal);
    assert.equal(new Set(publishes.map((span) => span.traceId)).size, 5);
    for (const span of publishes) {
      assert.notEqual(span.traceId, traceId);
      assert.equal(span.parentSpanId, undefined);
    }
    await collector.until(5, (span) => span.name === 'GET', signal);
  });

  it('hands a given trace on to requests where it is off, and adds nothing where none is given', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ workers: 1 });
    await scene.client.deploy({ name: 'calling', version: '1', file: encodeModule(calling) });
    const job = (path: string): Parameters<typeof scene.client.publish>[0] => ({
      workflow: 'calling',
      input: { url: receiver.url, paths: [path] },
    });
    const ids = [
      (await scene.client.publish(job('/given'), given)).job_id,
      (await scene.client.publish(job('/none'))).job_id,
    ];
    await scene.allEnded(ids, signal);
    const [with_, without] = ['/given', '/none'].map((path) => receiver.requests.find((one) => one.path === path));
    assert.equal(with_ && header(with_, 'traceparent'), given.traceparent);
    assert.equal(without && header(without, 'traceparent'), undefined);
  });

  it('costs spans and no job where its collector is gone, and ends in time', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using gone = await Receiver.start((request) => void request);
    await using receiver = await Receiver.start();
    await using scene = await start(gone.url);
    const input = { url: receiver.url, paths: ['/'] };
    const ids = await scene.publish(Array.from({ length: 50 }, () => ({ workflow: 'calling', input })));
    await gone.arrivals(1);
    for (const job of await scene.allEnded(ids, signal)) assert.equal(job.status, 'completed');
    assert.deepEqual(await scene.cluster.stop(), [0, 0]);
  });

  it('sends what is left when a process is asked to end', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start();
    await using scene = await start(collector.url);
    const input = { url: receiver.url, paths: ['/'] };
    const { job_id: job } = await scene.client.publish({ workflow: 'calling', input }, given);
    await scene.ended(job, signal);
    assert.deepEqual(await scene.cluster.stop(), [0, 0]);
    named(collector.spans.filter(inTrace), 'run main');
    named(collector.spans.filter(inTrace), 'GET');
  });

  it('takes the trace of the command line from its flag, or from the program that called it', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using scene = await start(collector.url, { workers: 0 });
    const publish = ['publish', 'calling', '--url', scene.cluster.url];
    const flag = await mvmCi([...publish, '--traceparent', given.traceparent], signal);
    assert.equal(flag.code, 0, flag.stderr);
    const other = '1af7651916cd43dd8448eb211c80319c';
    const inherited = await mvmCi(publish, signal, { TRACEPARENT: `00-${other}-b7ad6b7169203331-01` });
    assert.equal(inherited.code, 0, inherited.stderr);
    const wrong = await mvmCi([...publish, '--traceparent', 'nonsense'], signal);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /INVALID_ARGUMENT/);
    const publishes = await collector.until(2, (span) => span.name === 'publish calling', signal);
    assert.deepEqual(
      publishes.map((span) => span.traceId),
      [traceId, other],
    );
  });

  it('marks what failed', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using collector = await Collector.start();
    await using receiver = await Receiver.start((_, respond) => respond(503, 'no'));
    await using scene = await start(collector.url);
    const input = { url: receiver.url, paths: ['/'] };
    await scene.client.publish({ workflow: 'calling', input }, given);
    const [effect] = await collector.until(1, (span) => span.name === 'GET', signal);
    assert.equal(effect?.status.code, error);
    assert.equal(effect?.attributes['error.type'], '503');
    await assert.rejects(scene.client.publish({ workflow: 'missing', input }, given));
    const [refused] = await collector.until(1, (span) => span.name === 'publish missing', signal);
    assert.equal(refused?.status.code, error);
  });
});
