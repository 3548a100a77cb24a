import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findKnee, type CurvePoint } from '../../src/load/report/knee.ts';

const curve = (...points: readonly (readonly [number, number])[]): readonly CurvePoint[] =>
  points.map(([x, y]) => ({ x, y }));

const xOf = (points: readonly CurvePoint[]): number | undefined => {
  const knee = findKnee(points);
  return knee.kind === 'knee' ? knee.point.x : undefined;
};

test('the knee of the curve in the paper of Kneedle is where the paper finds it', () => {
  // Figure 2: y = -1 / x + 5 for ten x from 0 to 1, with 0.1 added below.
  const figure = Array.from({ length: 10 }, (_, index) => ({ x: index / 9, y: -1 / (index / 9 + 0.1) + 5 }));
  assert.equal(xOf(figure)?.toFixed(2), '0.22');
});

test('a cluster that is saturated from 20 workers on has its knee there', () => {
  assert.equal(xOf(curve([1, 10], [5, 50], [20, 200], [50, 201], [100, 199])), 20);
});

test('a fall behind the peak does not hide the knee', () => {
  assert.equal(xOf(curve([1, 10], [5, 50], [20, 190], [50, 120], [100, 60])), 20);
});

test('a straight line has no knee', () => {
  assert.deepEqual(findKnee(curve([1, 10], [5, 50], [20, 200], [50, 500], [100, 1_000])), { kind: 'rising' });
});

test('a curve that gains no more than a tenth is saturated at its first point', () => {
  assert.deepEqual(findKnee(curve([1, 100], [5, 109], [20, 104])), { kind: 'flat', point: { x: 1, y: 100 } });
});

test('two points are too few for a knee', () => {
  assert.deepEqual(findKnee(curve([1, 10], [5, 50])), { kind: 'too-few' });
});

const points = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 10_000 })), {
    selector: ([x]) => x,
    minLength: 1,
    maxLength: 12,
  })
  .map((pairs) => curve(...pairs.toSorted(([a], [b]) => a - b)));

test('whatever the curve, a knee is one of its points but neither the first nor the last', () => {
  fc.assert(
    fc.property(points, (some) => {
      const knee = findKnee(some);
      if (knee.kind === 'knee') assert.ok(some.slice(1, -1).includes(knee.point));
    }),
  );
});

test('the units of both axes do not move the knee', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }), (some, a, b) => {
      const scaled = some.map(({ x, y }) => ({ x: x * 2 ** a, y: y * 2 ** b }));
      assert.equal(findKnee(scaled).kind, findKnee(some).kind);
      const before = xOf(some);
      assert.equal(xOf(scaled), before === undefined ? undefined : before * 2 ** a);
    }),
  );
});

test('a linear rise to a plateau has its knee where the plateau begins', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 1_000 }), (at, slope) => {
      const some = Array.from({ length: 12 }, (_, index) => ({ x: index + 1, y: slope * Math.min(index + 1, at) }));
      assert.equal(xOf(some), at);
    }),
  );
});
