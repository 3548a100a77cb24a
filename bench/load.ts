/** How much work a bench does, chosen on its command line. */
import { parseArgs } from 'node:util';

/** `full` takes a few minutes, `quick` at most one; `smallest` only shows that the bench works. */
export type Load = 'smallest' | 'quick' | 'full';

/** What a bench was asked for. */
export interface BenchOptions {
  readonly load: Load;
  /** One line of JSON in place of the table. */
  readonly json: boolean;
}

/**
 * Reads `[--quick | --smallest] [--json]`.
 *
 * @throws {TypeError} for anything else on the command line
 */
export const readBenchOptions = (args: readonly string[]): BenchOptions => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      smallest: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  return { load: values.smallest ? 'smallest' : values.quick ? 'quick' : 'full', json: values.json };
};
