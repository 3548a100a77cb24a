/**
 * Workers that were asked to drain: to take no more jobs, finish or give back those that they hold, and end.
 *
 * 1. It is a process that is asked, not a node: one that starts again with the same key takes jobs.
 * 2. A worker hears of it with the answer to its next claim or heartbeat, and again with each one after that.
 * 3. Nothing of this is stored: after a restart of the control plane a worker that has not heard of it goes on.
 */
import { mvmError, protocolOf, type DrainOrder } from '@mvm-ci/protocol';
import type { NodeRecord } from '../machine/node-table.ts';
import type { Processes } from './processes.ts';

interface Asked {
  readonly incarnation: string;
  readonly order: DrainOrder;
}

/** See the head of this file. */
export class DrainBoard {
  readonly #processes: Processes;
  readonly #asked: Map<string, Asked> = new Map();

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  /**
   * Asks the process of a node to drain.
   *
   * @throws INVALID_ARGUMENT when it runs no jobs, INVALID_TRANSITION when none is known, VERSION_UNSUPPORTED when it would not
   * understand
   */
  ask({ node, name, role }: NodeRecord, order: DrainOrder): void {
    if (role !== 'worker')
      throw mvmError('INVALID_ARGUMENT', `node ${node} (${name}) runs no jobs: it is a ${role}`, { node, role });
    const process = this.#processes.of(node);
    if (process === undefined)
      throw mvmError(
        'INVALID_TRANSITION',
        `no worker of node ${node} (${name}) has joined since this control plane started`,
      );
    this.#processes.demand(node, protocolOf.drainOrder, 'an order to drain (SIGTERM drains it too)');
    this.#asked.set(node, { incarnation: process.incarnation, order });
  }

  /** What the process was asked for. */
  orderFor(node: string, incarnation: string): DrainOrder | undefined {
    const asked = this.#asked.get(node);
    return asked?.incarnation === incarnation ? asked.order : undefined;
  }

  /** Whether the last process of a node was asked. */
  isAsked(node: string): boolean {
    const incarnation = this.#processes.of(node)?.incarnation;
    return incarnation !== undefined && this.orderFor(node, incarnation) !== undefined;
  }
}
