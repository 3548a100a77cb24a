import type { DatabaseSync } from 'node:sqlite';
import { BlobTable } from './blob-table.ts';
import { Counters } from './counters.ts';
import { InboxTable } from './inbox-table.ts';
import { JobTable } from './job-table.ts';
import { JournalTable } from './journal-table.ts';
import { DependencyTable } from './dependency-table.ts';
import { LaneTable } from './lane-table.ts';
import { ModuleTable } from './module-table.ts';
import { LabelTable } from './label-table.ts';
import { MoveTable } from './move-table.ts';
import { NodeTable } from './node-table.ts';
import { QueueTable } from './queue-table.ts';
import { RepinTable } from './repin-table.ts';
import { ScheduleTable } from './schedule-table.ts';
import { SnapshotTable } from './snapshot-table.ts';
import { TicketTable } from './ticket-table.ts';
import { WebhookTable } from './webhook-table.ts';
import { UniqueTable } from './unique-table.ts';

/** Everything that a command may read and change. */
export interface Tables {
  readonly counters: Counters;
  readonly jobs: JobTable;
  readonly lanes: LaneTable;
  readonly queues: QueueTable;
  readonly uniques: UniqueTable;
  readonly dependencies: DependencyTable;
  readonly labels: LabelTable;
  readonly journal: JournalTable;
  readonly snapshots: SnapshotTable;
  readonly moves: MoveTable;
  readonly inbox: InboxTable;
  readonly modules: ModuleTable;
  readonly repins: RepinTable;
  readonly nodes: NodeTable;
  readonly tickets: TicketTable;
  readonly schedules: ScheduleTable;
  readonly webhooks: WebhookTable;
  readonly blobs: BlobTable;
}

/** The tables of a database whose schema is up to date. */
export const openTables = (db: DatabaseSync): Tables => {
  const counters = new Counters(db);
  const lanes = new LaneTable(db);
  return {
    counters,
    jobs: new JobTable(db, counters, lanes),
    lanes,
    queues: new QueueTable(db),
    uniques: new UniqueTable(db),
    dependencies: new DependencyTable(db),
    labels: new LabelTable(db),
    journal: new JournalTable(db),
    snapshots: new SnapshotTable(db),
    moves: new MoveTable(db),
    inbox: new InboxTable(db),
    modules: new ModuleTable(db, counters),
    repins: new RepinTable(db),
    nodes: new NodeTable(db),
    tickets: new TicketTable(db),
    schedules: new ScheduleTable(db),
    webhooks: new WebhookTable(db),
    blobs: new BlobTable(db),
  };
};
