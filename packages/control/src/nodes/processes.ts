/**
 * The process of each node that joined last, and what it speaks. In memory: after a restart of the control plane every
 * process joins again.
 */
import { mvmError } from '@mvm-ci/protocol';

/** A process of a node. */
export interface NodeProcess {
  readonly incarnation: string;
  /** The version of the peer protocol that was agreed on. */
  readonly protocol: number;
}

/** See the head of this file. */
export class Processes {
  readonly #processes: Map<string, NodeProcess> = new Map();

  noteJoin(node: string, process: NodeProcess): void {
    this.#processes.set(node, process);
  }

  /** Undefined when none has joined since the control plane started. */
  of(node: string): NodeProcess | undefined {
    return this.#processes.get(node);
  }

  /** @throws VERSION_UNSUPPORTED when the process of a node is known, and too old for `what` */
  demand(node: string, version: number, what: string): void {
    const { protocol = version } = this.#processes.get(node) ?? {};
    if (protocol >= version) return;
    throw mvmError(
      'VERSION_UNSUPPORTED',
      `worker ${node} speaks version ${protocol} of the peer protocol, and ${what} needs version ${version}: upgrade the worker`,
      { node, protocol, needs: version },
    );
  }
}
