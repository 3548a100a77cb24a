import type { DatabaseSync } from 'node:sqlite';
import { Counters } from './counters.ts';
import { InboxTable } from './inbox-table.ts';
import { JobTable } from './job-table.ts';
import { JournalTable } from './journal-table.ts';
import { ModuleTable } from './module-table.ts';
import { NodeTable } from './node-table.ts';
import { RepinTable } from './repin-table.ts';
import { TicketTable } from './ticket-table.ts';

/** Everything that a command may read and change. */
export interface Tables {
  readonly counters: Counters;
  readonly jobs: JobTable;
  readonly journal: JournalTable;
  readonly inbox: InboxTable;
  readonly modules: ModuleTable;
  readonly repins: RepinTable;
  readonly nodes: NodeTable;
  readonly tickets: TicketTable;
}

/** The tables of a database whose schema is up to date. */
export const openTables = (db: DatabaseSync): Tables => {
  const counters = new Counters(db);
  return {
    counters,
    jobs: new JobTable(db, counters),
    journal: new JournalTable(db),
    inbox: new InboxTable(db),
    modules: new ModuleTable(db, counters),
    repins: new RepinTable(db),
    nodes: new NodeTable(db),
    tickets: new TicketTable(db),
  };
};
