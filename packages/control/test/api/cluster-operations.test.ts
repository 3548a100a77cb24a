import { mvmError } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { column, moduleFile, TestPlane } from './test-plane.ts';

suite('modules', () => {
  test('are deployed once under a name and version, and found by their hash', async () => {
    await using plane = await TestPlane.open();
    const deploy = (file: Uint8Array, version = '1'): ReturnType<TestPlane['call']> =>
      plane.call('POST', `/modules?name=crawler&version=${version}`, { body: file });
    const first = await deploy(moduleFile(['main', 'other']));
    assert.deepEqual([first.status, first.body.workflows, first.body.kind], [200, ['main', 'other'], 'javascript']);
    assert.deepEqual((await deploy(moduleFile(['main', 'other']))).body, first.body);
    const changed = await deploy(moduleFile(['main'], 'changed'));
    assert.deepEqual([changed.status, changed.body.error.code], [409, 'MODULE_EXISTS']);
    await deploy(moduleFile(['main'], 'changed'), '2');
    const versions = column((await plane.call('GET', '/modules')).body, 'version');
    assert.deepEqual(versions, ['2', '1']);
    assert.deepEqual((await plane.call('GET', `/modules/${first.body.hash}`)).body, first.body);
    assert.equal((await plane.call('GET', '/modules/00')).body.error.code, 'MODULE_NOT_FOUND');
  });

  test('are refused by what admission says, by a broken file, a missing name and another content type', async () => {
    await using plane = await TestPlane.open({
      admit: () => Promise.reject(mvmError('MODULE_SYNTAX_ERROR', 'crawler.ts:3:5: Unexpected token')),
    });
    const file = moduleFile();
    const deploy = async (path: string, body: Uint8Array, headers = {}): Promise<readonly [number, string]> => {
      const answer = await plane.call('POST', path, { body, headers });
      return [answer.status, answer.body.error.code];
    };
    assert.deepEqual(await deploy('/modules?name=a&version=1', file), [422, 'MODULE_SYNTAX_ERROR']);
    assert.deepEqual(await deploy('/modules?name=a&version=1', Uint8Array.of(1, 2)), [422, 'MODULE_INVALID']);
    assert.deepEqual(await deploy('/modules?name=a', file), [400, 'INVALID_ARGUMENT']);
    assert.deepEqual(await deploy('/modules?name=a&version=1', file, { 'content-type': 'text/plain' }), [
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ]);
    assert.deepEqual((await plane.call('GET', '/modules')).body, []);
  });
});

suite('what the control plane says of itself', () => {
  test('its name, cluster and counts; its health; its readiness, which ends with the store', async () => {
    await using plane = await TestPlane.open();
    const info = (await plane.call('GET', '/')).body;
    assert.deepEqual([info.name, info.cluster, info.jobs.total], ['mvm-ci', plane.core.cluster, 0]);
    assert.equal((await plane.call('GET', '/healthz')).status, 200);
    assert.equal((await plane.call('GET', '/readyz')).status, 200);
    await plane.core.stop();
    const stopped = await plane.call('GET', '/readyz');
    assert.deepEqual([stopped.status, stopped.body.error.code], [503, 'UNAVAILABLE']);
    assert.equal((await plane.call('GET', '/healthz')).status, 200);
  });

  test('whatever a probe answers is one line of JSON', async () => {
    await using plane = await TestPlane.open();
    const lineOf = async (path: string): Promise<readonly [number, string]> => {
      const response = await plane.open('GET', path);
      assert.equal(response.headers.get('content-type'), 'application/json');
      return [response.status, await response.text()];
    };
    assert.deepEqual(await lineOf('/readyz'), [200, '{"ready":true}\n']);
    await plane.core.stop();
    const [status, text] = await lineOf('/readyz');
    assert.equal(status, 503);
    assert.match(text, /^\{"error":\{"code":"UNAVAILABLE".*\}\n$/);
    assert.deepEqual(await lineOf('/healthz'), [200, '{"healthy":true}\n']);
  });
});
