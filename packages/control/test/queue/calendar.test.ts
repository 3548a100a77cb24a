import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { calendar, timesBetween } from '../../src/queue/calendar.ts';

/** The times of an expression in a span, as `DAYThh:mm`, in UTC. */
const times = (cron: string, timeZone: string, [from, to]: readonly [string, string]): readonly string[] =>
  timesBetween(calendar({ cron, time_zone: timeZone, job: { payload: 1 } }), {
    from: Date.parse(`${from}Z`),
    to: Date.parse(`${to}Z`),
    count: 100,
  }).map((at) => new Date(at).toISOString().slice(8, 16));

// In Berlin the clocks went forward at 01:00 UTC on the one, and will go back at 01:00 UTC on the other.
const spring = ['2026-03-28T23:00', '2026-03-29T22:00'] as const;
const autumn = ['2026-10-24T22:00', '2026-10-25T23:00'] as const;

suite('times of day around a change of the clocks', () => {
  const cases = [
    { cron: '30 2 * * *', inSpring: ['29T01:00'], inAutumn: ['25T00:30'] },
    { cron: '0 2,14 * * *', inSpring: ['29T01:00', '29T12:00'], inAutumn: ['25T00:00', '25T13:00'] },
    { cron: '0,30 2 * * *', inSpring: ['29T01:00'], inAutumn: ['25T00:00', '25T00:30'] },
    { cron: '15 2,3 * * *', inSpring: ['29T01:00', '29T01:15'], inAutumn: ['25T00:15', '25T02:15'] },
    { cron: '0 2-4 * * *', inSpring: ['29T01:00', '29T02:00'], inAutumn: ['25T00:00', '25T02:00', '25T03:00'] },
    {
      cron: '0 0 */8 * * *',
      inSpring: ['28T23:00', '29T06:00', '29T14:00'],
      inAutumn: ['24T22:00', '25T07:00', '25T15:00'],
    },
  ];
  for (const { cron, inSpring, inAutumn } of cases) {
    test(`${cron} happens once, also where it is left out or comes twice`, () => {
      assert.deepEqual(times(cron, 'Europe/Berlin', spring), inSpring);
      assert.deepEqual(times(cron, 'Europe/Berlin', autumn), inAutumn);
    });
  }

  test('are those of their zone, whatever the clocks change by', () => {
    // Half an hour, from 02:00 to 02:30.
    const span = ['2026-10-02T00:00', '2026-10-06T00:00'] as const;
    assert.deepEqual(times('15 2 * * *', 'Australia/Lord_Howe', span), [
      '02T15:45',
      '03T15:30',
      '04T15:15',
      '05T15:15',
    ]);
    // At midnight, from 00:00 to 01:00.
    const brazil = ['2018-11-03T00:00', '2018-11-06T00:00'] as const;
    assert.deepEqual(times('0 0 * * *', 'America/Sao_Paulo', brazil), ['03T03:00', '04T03:00', '05T02:00']);
  });
});

test('where the hours are *, each hour that passes counts', () => {
  for (const cron of ['0 * * * *', '@hourly', '0 0 * * * *']) {
    assert.equal(times(cron, 'Europe/Berlin', spring).length, 23);
    assert.equal(times(cron, 'Europe/Berlin', autumn).length, 25);
  }
});
