import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { engineLimits } from '../../../src/limits.ts';
import { place, WasiFiles } from '../../fixtures/wasi-files.ts';
import { wasiImports } from '../../../src/guest/wasi/wasi-imports.ts';

const prefix = 'wasi_snapshot_preview1.';

/** Calls on files and paths with the types of their parameters. */
const calls = [...wasiImports].flatMap(([name, type]) => {
  const call = name.slice(prefix.length);
  if (!name.startsWith(prefix) || !/^(fd|path)_/.test(call)) return [];
  return [{ call, types: type.slice(1, type.indexOf(')')).split(', ') }];
});

// Mostly what a program would say, so that calls get far; sometimes anything.
const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 3, arbitrary: fc.constantFrom(place.out, place.vector, place.path, place.bytes) },
  { weight: 1, arbitrary: fc.integer() },
);
const long = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 64n }) },
  { weight: 2, arbitrary: fc.constant((1n << 30n) - 1n) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }) },
);
const parametersOf = (types: readonly string[]): fc.Arbitrary<readonly (number | bigint)[]> =>
  fc.tuple(...types.map((type) => (type === 'i64' ? long : number)));
const paths = ['a', 'tmp', 'tmp/a', 'tmp/b/..', 'a/b', '..', '.', '/'];
const step = fc.constantFrom(...calls).chain(({ call, types }) =>
  fc.record({
    call: fc.constant(call),
    parameters: parametersOf(types),
    isSensible: fc.boolean(),
    names: fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...paths)),
  }),
);

/** Where a call has its paths: the descriptor that they start from, and their places, which lengths follow. */
const pathsOf: Readonly<Record<string, readonly (readonly [fd: number, path: number])[]>> = {
  path_open: [[0, 2]],
  path_filestat_get: [[0, 2]],
  path_filestat_set_times: [[0, 2]],
  path_rename: [
    [0, 1],
    [3, 4],
  ],
};

/** The parameters with real paths from the root in them. */
const sensible = (
  call: string,
  parameters: readonly (number | bigint)[],
  written: readonly (readonly [place: number, length: number])[],
): readonly (number | bigint)[] => {
  const result = [...parameters];
  if (!call.startsWith('path_')) return result;
  for (const [index, [fd, path]] of (pathsOf[call] ?? [[0, 1] as const]).entries()) {
    const [at, length] = written[index] ?? [0, 0];
    result[fd] = 3;
    result[path] = at;
    result[path + 1] = length;
  }
  return result;
};

it('any calls with any parameters end in an error number, and no byte or name is lost for good', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const files = new WasiFiles();
      for (const { call, parameters, isSensible, names } of steps) {
        const written = [files.path(names[0]), files.path(names[1], place.otherPath)];
        files.memory.setU32(place.vector, place.bytes);
        files.memory.setU32(place.vector + 4, 16);
        const errno = files.call(call, ...(isSensible ? sensible(call, parameters, written) : parameters));
        assert.ok(Number.isInteger(errno) && errno >= 0 && errno <= 76, `${call}: ${errno}`);
      }
      files.clear();
      const { filesMax, fileBytesMax } = engineLimits;
      assert.deepEqual(files.room(fileBytesMax), { nodes: filesMax, holds: true });
    }),
    { numRuns: 200 },
  );
});
