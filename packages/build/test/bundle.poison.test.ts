/** Workflows that turn on the SDK that they are bundled with: each ends in a way that its author can read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleText, QuickJsGuest, type LooseIntent } from './quickjs-guest.ts';

const lastOf = async (body: string): Promise<LooseIntent | undefined> => {
  using guest = await QuickJsGuest.load(
    await bundleText(
      `import { sleep } from '@mvm-ci/sdk';\nexport const flow = async (): Promise<any> => { ${body} };`,
    ),
  );
  return guest.start('flow', null).at(-1);
};

const failing: Readonly<Record<string, readonly [body: string, message: RegExp]>> = {
  'a result that holds itself': ['const all: any = {}; all.all = all; return all;', /must be a JSON value: circular/],
  'a result that is a BigInt': ['return 1n;', /must be a JSON value: .*bigint/i],
  'a result whose getter throws': ['return { get a() { throw new Error("no getter"); } };', /no getter/],
  'a result whose toJSON throws': ['return { toJSON() { throw new Error("no text"); } };', /no text/],
  'a proxy that throws at every touch as a result': [
    'return new Proxy({}, { ownKeys() { throw new Error("hands off"); } });',
    /hands off/,
  ],
  'null, thrown': ['throw null;', /thrown: null/],
  'a symbol, thrown': ['throw Symbol("mine");', /thrown: Symbol\(mine\)/],
  'an error whose message is a getter that throws': [
    'throw Object.defineProperty(new Error(), "message", { get() { throw 1; } });',
    /throws when it is looked at/,
  ],
  'a proxy that throws at every touch, thrown': [
    'throw new Proxy({}, { getPrototypeOf() { throw 1; }, get() { throw 2; } });',
    /throws when it is looked at/,
  ],
  'an error whose message is an object that holds itself': [
    'const all: any = {}; all.all = all; throw Object.assign(new Error(), { message: all });',
    /object/,
  ],
  'a rejection with itself as a cause': [
    'const error: any = new Error("round"); error.cause = error; throw error;',
    /round/,
  ],
};

const completing: Readonly<Record<string, readonly [body: string, result: unknown]>> = {
  'a symbol as a result': ['return Symbol("a");', null],
  'a function as a result': ['return () => 1;', null],
  'a lone surrogate as a result': ['return "\\ud800";', '\ud800'],
  'a JSON.stringify that lies': ['JSON.stringify = () => "[]"; return { a: 1 };', { a: 1 }],
  'all that the SDK made global, replaced': [
    'Object.assign(globalThis, { setTimeout: 1, fetch: 2, Date: 3, crypto: 4 }); return 1;',
    1,
  ],
  'a prototype with fields of its own': [
    'Object.assign(Object.prototype, { code: "X", call: 9, types: [] }); return { a: [] };',
    { a: [] },
  ],
};

describe('a workflow that turns on its SDK', () => {
  for (const [name, [body, message]] of Object.entries(failing))
    it(`fails with what it did: ${name}`, async () => {
      const last = await lastOf(body);
      assert.equal(last?.type, 'fail', JSON.stringify(last));
      assert.match(String(last['message']), message);
      assert.equal(last['code'], 'WORKFLOW_FAILED');
    });

  for (const [name, [body, result]] of Object.entries(completing))
    it(`completes all the same: ${name}`, async () => {
      const last = await lastOf(body);
      assert.equal(last?.type, 'complete', JSON.stringify(last));
      assert.deepEqual(last['result'], result);
    });
});
