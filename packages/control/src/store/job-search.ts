/** Looks for jobs: what is asked for, as SQL. */
import { defaultQueue, isFinal, jobStates, type JobFilter } from '@mvm-ci/protocol';

/** A condition and what its question marks stand for. */
export interface SearchSql {
  readonly where: string;
  readonly parameters: readonly (string | number)[];
}

type Condition = readonly [sql: string, ...parameters: (string | number)[]];

const liveStates = jobStates.filter((state) => !isFinal(state));

/** The condition that jobs fulfil which fit, with a number below `before`. */
export const searchSql = (filter: JobFilter, before: number): SearchSql => {
  const conditions = [
    ['number < ?', before] as const,
    ...stateCondition(filter),
    ...labelConditions(filter),
    ...contentConditions(filter),
  ];
  return {
    where: conditions.map(([sql]) => sql).join(' AND '),
    parameters: conditions.flatMap(([, ...parameters]) => parameters),
  };
};

// A state alone has an index in publish order. Beside others, or for several states, `+` keeps SQLite from sorting all
// jobs of a state for each page.
const stateCondition = ({ state, ...others }: JobFilter): readonly Condition[] => {
  if (state === undefined) return [];
  if (state === 'live') return [[`+state IN (${liveStates.map((one) => `'${one}'`).join(', ')})`]];
  const isAlone = Object.values(others).every((value) => value === undefined);
  return [[isAlone ? 'state = ?' : '+state = ?', state]];
};

const labelConditions = ({ queue, key, tag }: JobFilter): readonly Condition[] => [
  ...(queue === undefined ? [] : [queue === defaultQueue ? noQueueCondition : labelCondition('queue', queue)]),
  ...(key === undefined ? [] : [labelCondition('key', key)]),
  ...(tag === undefined ? [] : [labelCondition('tag', tag)]),
];

const labelCondition = (kind: string, label: string): Condition => [
  'number IN (SELECT job FROM labels WHERE kind = ? AND label = ?)',
  kind,
  label,
];

const noQueueCondition: Condition = [
  `(options IS NULL OR json_extract(options, '$.queue') IS NULL OR json_extract(options, '$.queue') = '${defaultQueue}')`,
];

const contentConditions = ({ module, error, since_ms: since, until_ms: until }: JobFilter): readonly Condition[] => [
  ...(module === undefined ? [] : [moduleCondition(module)]),
  ...(error === undefined ? [] : [['error_code = ?', error] as const]),
  ...(since === undefined ? [] : [['created_at >= ?', since] as const]),
  ...(until === undefined ? [] : [['created_at < ?', until] as const]),
];

const moduleCondition = (module: string): Condition => {
  const prefix = `${module}@`;
  return ["substr(coalesce(workflow, ''), 1, ?) = ?", prefix.length, prefix];
};
