import Table from 'cli-table3';
import colors from 'picocolors';
import type { Host } from '../host.ts';

/** What a table shows: a heading and a cell for each column. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
}

/** Colours, or none. */
export type Paint = ReturnType<typeof colors.createColors>;

/** How a command speaks: one JSON document for programs, text and tables for people. */
export class Terminal {
  readonly isJson: boolean;
  readonly paint: Paint;
  readonly #host: Host;

  constructor(host: Host, isJson: boolean) {
    this.#host = host;
    this.isJson = isJson;
    const wantsColor = host.stdout.isTTY === true && !host.env['NO_COLOR'] && host.env['TERM'] !== 'dumb';
    this.paint = colors.createColors(wantsColor && !isJson);
  }

  /** The result of a command: `value` with --json, else the text that `human` makes. */
  result(value: unknown, human: () => string): void {
    const text = this.isJson ? JSON.stringify(value) : human();
    if (text !== '') this.#host.stdout.write(`${text}\n`);
  }

  /** A line for people only, such as a hint: on stderr, so that the result stays alone on stdout. */
  note(text: string): void {
    if (!this.isJson) this.#host.stderr.write(`${text}\n`);
  }

  /** A table of `rows`; `none` when there are none. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): string {
    if (rows.length === 0) return none;
    const table = new Table({
      head: columns.map(({ head }) => this.paint.bold(head)),
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
      chars: borderless,
    });
    for (const row of rows) table.push(columns.map(({ cell }) => cell(row)));
    return table.toString().replaceAll(/ +$/gm, '');
  }

  /** Names and values, one a line. */
  facts(facts: readonly (readonly [name: string, value: string])[]): string {
    const width = Math.max(...facts.map(([name]) => name.length));
    return facts.map(([name, value]) => `${this.paint.dim(name.padEnd(width))}  ${value}`).join('\n');
  }
}

const borderless = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
