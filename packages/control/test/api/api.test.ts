import { errorCodes, limits, routes, unpack } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { operations } from '../../src/api/api.ts';
import { column, moduleFile, operator, TestPlane } from './test-plane.ts';

suite('the routes', () => {
  test('have an operation each', () => {
    const served = new Set(operations.map((one) => one.route));
    assert.deepEqual(
      Object.keys(routes).filter((name) => ![...served].some((route) => route === name)),
      [],
    );
  });
});

suite('errors', () => {
  test('an unknown path or method is ROUTE_NOT_FOUND', async () => {
    await using plane = await TestPlane.open();
    for (const [method, path] of [
      ['GET', '/nowhere'],
      ['DELETE', '/queue/list'],
      ['GET', '/queue/publish'],
    ] as const) {
      const answer = await plane.call(method, path);
      assert.deepEqual([answer.status, answer.body.error.code], [404, 'ROUTE_NOT_FOUND']);
    }
  });

  test('come in the encoding that the caller reads', async () => {
    await using plane = await TestPlane.open();
    const response = await plane.open('GET', '/queue/status/nowhere', { headers: { accept: 'application/msgpack' } });
    assert.equal(response.headers.get('content-type'), 'application/msgpack');
    const body = unpack(new Uint8Array(await response.arrayBuffer()));
    assert.deepEqual(body, {
      error: { code: 'JOB_NOT_FOUND', message: 'no job has the id "nowhere"', details: { job_id: 'nowhere' } },
    });
    assert.equal(response.status, errorCodes.JOB_NOT_FOUND.status);
  });

  test('an unexpected one is logged with its cause, and says nothing of it to the caller', async () => {
    await using plane = await TestPlane.open({ admit: () => Promise.reject(new TypeError('secret detail')) });
    const answer = await plane.call('POST', '/modules?name=a&version=1', { body: moduleFile() });
    assert.deepEqual([answer.status, answer.body.error.code], [500, 'INTERNAL']);
    assert.ok(!JSON.stringify(answer.body).includes('secret'));
    assert.equal(plane.logged.length, 1);
  });
});

suite('bodies', () => {
  test('are refused above their limit, announced or not, before more is held', async () => {
    await using plane = await TestPlane.open();
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 1_048_576;
        controller.enqueue(new Uint8Array(1_048_576));
      },
    });
    const request = new Request('http://test/queue/publish', { method: 'POST', body: endless, duplex: 'half' });
    const response = await plane.api.fetch(request, operator);
    assert.equal(response.status, 413);
    assert.ok(sent <= limits.requestBytesMax + 4_194_304);
    const announced = await plane.call('POST', '/queue/publish', {
      body: {},
      headers: { 'content-length': String(limits.requestBytesMax + 1) },
    });
    assert.deepEqual([announced.status, announced.body.error.code], [413, 'PAYLOAD_TOO_LARGE']);
  });
});

suite('the description', () => {
  test('covers every operation, with what it takes and answers', async () => {
    await using plane = await TestPlane.open();
    const { body } = await plane.call('GET', '/openapi.json');
    assert.equal(body.openapi, '3.1.0');
    for (const one of operations) {
      const path = routes[one.route].replace(/:([a-z]+)/, '{$1}');
      const described = body.paths[path]?.[one.method.toLowerCase()];
      assert.ok(described, `${one.method} ${path}`);
      assert.equal(described.requestBody !== undefined, one.body.mode !== 'none');
      assert.ok(described.responses['200'].content);
    }
    const listed = column(body.paths['/queue/list'].get.parameters, 'name');
    assert.deepEqual(listed, [
      'state',
      'module',
      'queue',
      'key',
      'tag',
      'error',
      'since_ms',
      'until_ms',
      'limit',
      'after',
    ]);
  });
});
