/** Tables: wide ones are scrolled inside, so that the page fits a narrow screen. */
import type { ComponentChildren, VNode } from 'preact';

/** What a table consists of. */
export interface TableProps {
  /** For those who hear the page. */
  readonly caption: string;
  readonly columns: readonly string[];
  /** Its rows. */
  readonly children: ComponentChildren;
}

/** See {@link TableProps}. */
export const Table = ({ caption, columns, children }: TableProps): VNode => (
  <div class="table" role="region" aria-label={caption} tabIndex={0}>
    <table>
      <caption class="heard">{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
);
