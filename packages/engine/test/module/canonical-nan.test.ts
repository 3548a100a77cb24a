/** What a guest can see of its NaNs: each case makes one and looks at its bits, under each of V8's compilers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { workflowModule } from '@mvm-ci/testkit';
import { openTestEngine, resultOf } from '../fixtures/test-engine.ts';

const program = fileURLToPath(new URL('../fixtures/nan-bits.ts', import.meta.url));
const bits = z.record(z.string(), z.string());
const printed = z.object({ asItIs: bits, asGuest: bits });
const outputBytesMax = 16_777_216;

const run = async (...flags: readonly string[]): Promise<z.infer<typeof printed>> => {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program], { maxBuffer: outputBytesMax });
  return printed.parse(JSON.parse(stdout));
};
const liftoff = run('--liftoff', '--no-wasm-tier-up');
const turbofan = run('--no-liftoff');

const sign32 = 0x8000_0000n;
const sign64 = 0x8000_0000_0000_0000n;
const nan32 = 0x7fc0_0000n;
const nan64 = 0x7ff8_0000_0000_0000n;

/** What the deterministic profile of WebAssembly says. */
const expected = (name: string): bigint => {
  const isSingle = name.startsWith('f32 ');
  if (name.startsWith('f32x4 ') || name.endsWith(' in a lane'))
    return name.startsWith('f32') ? (nan32 << 32n) | nan32 : nan64;
  if (name.endsWith(' through neg')) return isSingle ? nan32 | sign32 : nan64 | sign64;
  if (name.endsWith(' as a sign')) return isSingle ? 0x3f80_0000n : 0x3ff0_0000_0000_0000n;
  if (name.endsWith(' converted')) return isSingle ? nan64 : nan32;
  return isSingle ? nan32 : nan64;
};

describe('a NaN of a guest', () => {
  it('has the same bits before V8 optimizes its code and after', async () => {
    assert.deepEqual((await liftoff).asGuest, (await turbofan).asGuest);
  });

  it('is the positive canonical one, wherever it was computed and however it is looked at', async () => {
    const { asGuest } = await turbofan;
    const seen = Object.entries(asGuest).filter(([name]) => !name.startsWith('kept '));
    assert.ok(seen.length > 3_000);
    const wrong = seen.filter(([name, hex]) => BigInt(`0x${hex}`) !== expected(name));
    assert.deepEqual(wrong, []);
  });

  it('keeps its bits where they are only moved', async () => {
    for (const { asItIs, asGuest } of [await liftoff, await turbofan]) {
      const kept = Object.keys(asGuest).filter((name) => name.startsWith('kept '));
      assert.equal(kept.length, 16);
      for (const name of kept) assert.equal(asGuest[name], asItIs[name], name);
      assert.equal(asGuest['kept f64 56 moved'], 'fff1234500006789');
    }
  });

  it('is the same one in a script', async () => {
    const look = (value: string): string => `new Uint8Array(new Float64Array([${value}]).buffer)[7]`;
    const script = `const zero = job.attempt - 1; return [${['zero / zero', 'Math.sqrt(zero - 1)', '-(zero / zero)', 'Infinity * zero'].map(look).join(', ')}];`;
    await using engine = await openTestEngine({ modules: { script: workflowModule(script) } });
    assert.deepEqual(resultOf((await engine.finish('script')).end), [0x7f, 0x7f, 0x7f, 0x7f]);
  });
});
