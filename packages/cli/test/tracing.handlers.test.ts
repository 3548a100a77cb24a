import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createClient } from '@mvm-ci/client';
import { startControlPlane } from '@mvm-ci/control';
import { leaseTrace, type SpanEnd, type SpanStart, type Tracer } from '@mvm-ci/protocol';
import { worker } from '@mvm-ci/worker';

const given = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };
const deadlineMs = 60_000;

/** Notes spans; each hands on the id that it was given. */
class NotedSpans implements Tracer {
  readonly begun: SpanStart[] = [];
  readonly ended: (SpanEnd | undefined)[] = [];

  begin(span: SpanStart): ReturnType<Tracer['begin']> {
    this.begun.push(span);
    const { parent = given, spanId = '' } = span;
    const traceparent = parent.traceparent.replace('b7ad6b7169203331', spanId);
    return { trace: { ...parent, traceparent }, end: (end) => void this.ended.push(end) };
  }
}

describe('a worker of handlers', () => {
  for (const tracer of [undefined, new NotedSpans()]) {
    it(`tells a handler the trace of its job, ${tracer ? 'below a span of its own' : 'as it came, without a tracer'}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-handlers-'));
      await using cleanUp = new AsyncDisposableStack();
      cleanUp.defer(() => rm(folder, { recursive: true }));
      const admit = (): Promise<{ workflows: string[] }> => Promise.resolve({ workflows: [] });
      const peer = { bind: ['127.0.0.1:0'] };
      const plane = cleanUp.use(await startControlPlane({ data: folder, admit, http: { port: 0 }, peer }));
      const handlers = { tell: ({ trace }: { readonly trace?: unknown }): unknown => trace ?? 'none' };
      const running = cleanUp.use(await worker({ url: plane.httpUrl, handlers, tracer }));
      const client = createClient({ url: plane.httpUrl });
      const signal = AbortSignal.timeout(deadlineMs);
      const results = [];
      for (const trace of [given, {}]) {
        const { job_id: job } = await client.publish({ handler: 'tell', job_id: `tell-${results.length}` }, trace);
        results.push((await client.wait(job, { signal })).result);
      }
      // What it does with a job is over when it is.
      await running.drain();
      const lease = leaseTrace(given, { job: 'tell-0', epoch: 1 });
      assert.deepEqual(results, [tracer ? lease : given, 'none']);
      if (!tracer) return;
      assert.deepEqual(
        tracer.begun.map(({ name, parent }) => [name, parent]),
        [['run tell', given]],
      );
      assert.deepEqual(tracer.ended, [{ attributes: { 'mvm_ci.end': 'completed' } }]);
    });
  }
});
