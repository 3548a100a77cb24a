import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  appendRequestSchema,
  bodyTypeOf,
  decodeBody,
  decodeErrorBody,
  encodeBody,
  errorBody,
  mvmError,
  parseAs,
  publishJobSchema,
  publishManySchema,
  StaleLeaseError,
  type AppendRequest,
  type BodyType,
} from '@mvm-ci/protocol';

const append: AppendRequest = {
  appends: [
    {
      job: 'a',
      epoch: 2,
      attempt: 1,
      firstSeq: 0,
      count: 1,
      bytes: new Uint8Array([0, 255]),
      hash: new Uint8Array(32),
    },
  ],
};

describe('bodies', () => {
  for (const type of ['application/json', 'application/msgpack'] satisfies BodyType[]) {
    it(`carry byte strings in ${type}`, () => {
      const read = parseAs(appendRequestSchema, decodeBody(encodeBody(append, type), type), 'append');
      assert.deepEqual([...(read.appends[0]?.bytes ?? [])], [0, 255]);
      assert.equal(read.appends[0]?.hash.length, 32);
    });

    it(`that are not ${type} are refused as INVALID_JSON`, () => {
      const notOne = new Uint8Array([0xc1, 0x7b]);
      assert.throws(() => decodeBody(notOne, type), { code: 'INVALID_JSON', message: /2 bytes/ });
    });
  }

  it('are JSON unless a header names MessagePack', () => {
    assert.equal(bodyTypeOf(undefined), 'application/json');
    assert.equal(bodyTypeOf('text/plain'), 'application/json');
    assert.equal(bodyTypeOf('application/msgpack; q=1'), 'application/msgpack');
  });
});

describe('parseAs', () => {
  it('names the field, the rule and the value received', () => {
    assert.throws(() => parseAs(publishJobSchema, { workflow: 'w', attempts_max: 0 }, 'publish'), {
      code: 'INVALID_ARGUMENT',
      message: 'publish: attempts_max: Too small: expected number to be >=1 (received 0)',
      details: { issues: [{ field: 'attempts_max', rule: 'Too small: expected number to be >=1', received: 0 }] },
    });
  });

  it('says of a long value how long it is, and counts what is wrong beyond five fields', () => {
    const job = { workflow: 'w', job_id: 'x'.repeat(129) };
    assert.throws(() => parseAs(publishJobSchema, job, 'publish'), {
      message: /job_id: .* \(received 129 characters\)$/,
    });
    const jobs = Array.from({ length: 8 }, () => ({ workflow: 'w', priority: 1.5 }));
    assert.throws(() => parseAs(publishManySchema, { jobs }, 'publish'), {
      message: /jobs\.4\.priority: .*received 1\.5\); and 3 more$/,
    });
  });

  it('refuses fields of a job that it does not know, instead of publishing the job without them', () => {
    for (const job of [
      { payload: 1, delay: 1000 },
      { workflow: 'w', unique: { key: 'k', ttl: 5 } },
    ]) {
      assert.throws(() => parseAs(publishJobSchema, job, 'publish'), {
        code: 'INVALID_ARGUMENT',
        message: /Unrecognized key: "(delay|ttl)"/,
      });
    }
  });

  it('refuses an input that a payload job would not keep', () => {
    const both = { payload: 1, input: 2 };
    assert.throws(() => parseAs(publishJobSchema, both, 'publish'), { message: /either "input" or "payload"/ });
  });

  it('refuses a job with neither workflow nor payload, and one with both', () => {
    assert.throws(() => parseAs(publishJobSchema, {}, 'publish'), { code: 'INVALID_ARGUMENT', message: /needs/ });
    const both = { workflow: 'w', payload: 1 };
    assert.throws(() => parseAs(publishJobSchema, both, 'publish'), {
      code: 'INVALID_ARGUMENT',
      message: /either "workflow" and "input", or "handler"/,
    });
  });
});

describe('error bodies', () => {
  it('keep code, class and details across the wire', () => {
    const sent = mvmError('STALE_LEASE', 'epoch 1 is over', { epoch: 1 });
    const read = decodeErrorBody(errorBody(sent.toRecord()), 'no body');
    assert.ok(read instanceof StaleLeaseError);
    assert.deepEqual(read.toRecord(), sent.toRecord());
  });

  it('of another shape or with a code of a newer peer become INTERNAL and keep the text', () => {
    assert.equal(decodeErrorBody('<html>', 'HTTP 502').message, 'HTTP 502');
    const newer = decodeErrorBody({ error: { code: 'NEW_CODE', message: 'm' } }, '');
    assert.equal(newer.code, 'INTERNAL');
    assert.match(newer.message, /NEW_CODE: m/);
  });
});
