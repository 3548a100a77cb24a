import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEngineSetting, type EngineSetting } from '../../src/engine-hosts/engine-setting.ts';

describe('parseEngineSetting', () => {
  const readings: readonly (readonly [string, EngineSetting])[] = [
    ['', { kind: 'embedded' }],
    ['  ', { kind: 'embedded' }],
    ['iroh+h3://control-plane', { kind: 'peer' }],
    ['iroh+h3://control-plane/', { kind: 'peer' }],
    ['http://control-plane:27288', { kind: 'remote', url: 'http://control-plane:27288' }],
    ['http://[::1]:27288/', { kind: 'remote', url: 'http://[::1]:27288' }],
    ['https://Engine.Example', { kind: 'remote', url: 'https://engine.example' }],
    ['http://a:1,http://a:1/', { kind: 'remote', url: 'http://a:1' }],
    ['http://a:1, http://b:2,', { kind: 'pool', source: { type: 'urls', urls: ['http://a:1', 'http://b:2'] } }],
    [
      'dns+http://engines.internal:27288',
      { kind: 'pool', source: { type: 'dns', scheme: 'http', name: 'engines.internal', port: 27288 } },
    ],
    [
      'dns+https://engines:443/',
      { kind: 'pool', source: { type: 'dns', scheme: 'https', name: 'engines', port: 443 } },
    ],
    [
      'srv+http://_flawless._tcp.example.com',
      { kind: 'pool', source: { type: 'srv', scheme: 'http', name: '_flawless._tcp.example.com' } },
    ],
    [
      'srv+https://flawless.service.consul.',
      { kind: 'pool', source: { type: 'srv', scheme: 'https', name: 'flawless.service.consul.' } },
    ],
  ];
  for (const [text, setting] of readings)
    it(`reads "${text}"`, () => {
      assert.deepEqual(parseEngineSetting(text), setting);
    });

  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['engine:27288', /must be empty/],
    ['ftp://engine', /must be empty/],
    ['http://', /must be empty/],
    ['http://a:1,b:2', /must be empty/],
    ['http://a:1/engine', /without path, query or fragment/],
    ['http://a:1?x=1', /without path, query or fragment/],
    ['dns+http://engines', /dns\+http:\/\/NAME:PORT/],
    ['dns+http://engines:0', /dns\+http:\/\/NAME:PORT/],
    ['dns+http://10.0.0.1:27288', /dns\+http:\/\/NAME:PORT/],
    ['dns+http://engines:27288/x', /dns\+http:\/\/NAME:PORT/],
    ['srv+http://engines:27288', /without port/],
    ['srv+http://-engines', /without port/],
    ['iroh+h3://elsewhere', /must be empty/],
  ];
  for (const [text, rule] of mistakes)
    it(`refuses "${text}" and says what is allowed`, () => {
      assert.throws(() => parseEngineSetting(text), { code: 'CONFIG_INVALID', message: rule });
    });

  it('refuses a password in a URL without repeating it', () => {
    assert.throws(
      () => parseEngineSetting('http://me:secret@engine:27288'),
      (error: Error) => /token is a setting/.test(error.message) && !error.message.includes('secret'),
    );
  });
});
