import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { defaultPeriods } from '@mvm-ci/control';
import { workerLimits } from '@mvm-ci/worker';
import { readConfig } from '../src/config/config.ts';
import type { Config } from '../src/config/setting.ts';

describe('readConfig', () => {
  let cwd: string;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'mvm-ci-config-'));
  });

  afterEach(() => rmSync(cwd, { recursive: true }));

  const read = (flags: object = {}, env: Record<string, string> = {}, file?: unknown): Config => {
    if (file !== undefined) writeFileSync(join(cwd, 'mvm-ci.json'), JSON.stringify(file));
    return readConfig({ flags: { ...flags }, env, cwd });
  };

  it('has a default for what every command needs', () => {
    const { url, http, slots, logLevel, token, data } = read();
    assert.deepEqual(
      [url, http, slots, logLevel, token, data],
      ['http://localhost:3020', '127.0.0.1:3020', 16, 'info', undefined, undefined],
    );
  });

  it('repeats the defaults of the packages that it configures', () => {
    const { leaseMs, heartbeatMs, idleHeartbeatMs, slots, grace } = read();
    assert.deepEqual(
      [leaseMs, heartbeatMs, idleHeartbeatMs],
      [defaultPeriods.leaseMs, defaultPeriods.heartbeatMs, defaultPeriods.idleHeartbeatMs],
    );
    assert.deepEqual([slots, grace * 1_000], [workerLimits.slotsDefault, workerLimits.drainGraceMs]);
  });

  it('lets the file override defaults, the environment the file, and flags the environment', () => {
    const file = { slots: 2 };
    assert.equal(read({}, {}, file).slots, 2);
    assert.equal(read({}, { MVM_CI_SLOTS: '3' }, file).slots, 3);
    assert.equal(read({ slots: '4' }, { MVM_CI_SLOTS: '3' }, file).slots, 4);
  });

  it('reads the variables of older set-ups', () => {
    const env = { HTTP_PORT: '4000', CONTROL_PLANE_TICKET: 'mvm1x', RUST_LOG: 'warn,mvm_ci=debug', FLAWLESS_URL: '' };
    const { http, ticket, logLevel } = read({}, env);
    assert.deepEqual([http, ticket, logLevel], ['127.0.0.1:4000', 'mvm1x', 'warn']);
  });

  it('reads the standard variables of OpenTelemetry', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a%3Db, x-team = one',
      OTEL_SERVICE_NAME: 'builds',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_SDK_DISABLED: 'TRUE',
    };
    const { otlp, otlpHeaders, otelService, tracesSampler, tracesSamplerArg, otelDisabled } = read({}, env);
    assert.deepEqual(
      [otlp, otlpHeaders, otelService, tracesSampler, tracesSamplerArg, otelDisabled],
      [
        'http://localhost:4318',
        { authorization: 'Bearer a=b', 'x-team': 'one' },
        'builds',
        'parentbased_traceidratio',
        0.25,
        'true',
      ],
    );
    assert.throws(() => read({}, { OTEL_EXPORTER_OTLP_HEADERS: 'no pair' }), /OTEL_EXPORTER_OTLP_HEADERS/);
    assert.throws(() => read({}, { OTEL_TRACES_SAMPLER: 'jaeger_remote' }), /parentbased_always_on/);
  });

  it('takes an empty variable as an unset one', () => {
    assert.equal(read({}, { MVM_CI_URL: '' }).url, 'http://localhost:3020');
  });

  it('reads a token from the file that a variable names, unless a variable or a flag holds one', () => {
    writeFileSync(join(cwd, 'operator.token'), 'from a file\n');
    const env = { MVM_CI_TOKEN_FILE: join(cwd, 'operator.token'), FLAWLESS_TOKEN_FILE: 'operator.token' };
    const { token, flawlessToken } = read({}, env, { token: 'from mvm-ci.json' });
    assert.deepEqual([token, flawlessToken], ['from a file', 'from a file']);
    assert.equal(read({}, { ...env, MVM_CI_TOKEN: 'from a variable' }).token, 'from a variable');
    assert.equal(read({ token: 'from a flag' }, env).token, 'from a flag');
    assert.throws(() => read({}, { MVM_CI_TOKEN_FILE: 'missing' }), {
      code: 'CONFIG_INVALID',
      message: /^MVM_CI_TOKEN_FILE names .*missing, which can't be read: /,
    });
  });

  it('reads lists from a flag and from the file', () => {
    assert.deepEqual(read({ bind: '127.0.0.1:0,[::1]:0' }).bind, ['127.0.0.1:0', '[::1]:0']);
    assert.deepEqual(read({}, {}, { bind: ['127.0.0.1:5000'] }).bind, ['127.0.0.1:5000']);
  });

  it('names the place, the rule and the value of what is wrong', () => {
    const wrong = { code: 'CONFIG_INVALID' };
    assert.throws(() => read({ slots: 'many' }), { ...wrong, message: /^--slots is "many", which is not allowed/ });
    assert.throws(() => read({ leaseMs: '0' }), { ...wrong, message: /it must be a whole number from 1 to 3600000$/ });
    assert.throws(() => read({}, { MVM_CI_URL: 'localhost' }), { ...wrong, message: /^MVM_CI_URL is "localhost"/ });
    assert.throws(() => read({}, {}, { slots: 0 }), { ...wrong, message: /^"slots" in mvm-ci.json is 0/ });
    assert.throws(() => read({}, {}, { slots: 'x' }), { ...wrong, message: /is "x".* a whole number from 1 to 1000$/ });
    assert.throws(() => read({}, { MVM_CI_SLOTS: '0' }), {
      ...wrong,
      message: /is "0".* a whole number from 1 to 1000$/,
    });
    assert.throws(() => read({}, { RUST_LOG: 'bad' }, {}), {
      ...wrong,
      message: /^RUST_LOG is "bad".* one of trace, debug, info, warn, error, silent$/,
    });
    assert.throws(() => read({}, { HTTP_PORT: 'abc' }, {}), { ...wrong, message: /must be HOST:PORT[^;]*$/ });
    assert.throws(() => read({ http: '127.0.0.1:99999' }), {
      ...wrong,
      message: /must be an address whose port is below 65536$/,
    });
    assert.throws(() => read({ name: 'no spaces' }), wrong);
  });

  it('takes every place for an engine, and refuses what is none with the rule that it breaks', () => {
    for (const place of ['', 'iroh+h3://control-plane', 'http://a:1,http://b:2', 'srv+http://_flawless._tcp.x.org'])
      assert.equal(read({}, { FLAWLESS_URL: place }).flawlessUrl, place === '' ? undefined : place);
    assert.throws(() => read({}, { FLAWLESS_URL: 'http://a:1/path' }), {
      code: 'CONFIG_INVALID',
      message: /FLAWLESS_URL .*without path, query or fragment/,
    });
  });

  it('refuses a file with settings that do not exist, and one that is not JSON', () => {
    assert.throws(() => read({}, {}, { slot: 3 }), { code: 'CONFIG_INVALID', message: /don't exist: slot/ });
    assert.throws(() => read({}, {}, [1]), { code: 'CONFIG_INVALID', message: /is not a JSON object/ });
    writeFileSync(join(cwd, 'mvm-ci.json'), '{');
    assert.throws(() => read(), { code: 'CONFIG_INVALID', message: /is not JSON/ });
  });

  it('gives a frozen result', () => {
    assert.ok(Object.isFrozen(read()));
  });
});
