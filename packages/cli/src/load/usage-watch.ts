/** Watches what the processes of a cluster use, from its making until `stop`. */
import type { Member } from './load-cluster.ts';
import { processorSeconds, proportionalMib, residentMib } from './process-usage.ts';
import { loadLimits } from '../limits.ts';
import type { ProcessFigures } from './report/load-report.ts';

/** What was seen. */
export interface Usage {
  readonly seconds: number;
  readonly processes: readonly ProcessFigures[];
}

/** See the head of this file. */
export class UsageWatch {
  readonly #startedMs = performance.now();
  readonly #processes: readonly { readonly member: Member; readonly cpuAtStart: number; rssMibMax: number }[];
  readonly #timer: NodeJS.Timeout;

  constructor(members: readonly Member[]) {
    this.#processes = members.map((member) => ({
      member,
      cpuAtStart: processorSeconds(member.process.pid),
      rssMibMax: 0,
    }));
    this.#timer = setInterval(() => this.#sample(), loadLimits.sampleMs);
  }

  stop(): Usage {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    this.#sample();
    const processes = this.#processes.map(({ member: { role, process }, cpuAtStart, rssMibMax }) => ({
      role,
      pid: process.pid,
      cpu_s: Math.max(0, processorSeconds(process.pid) - cpuAtStart),
      rss_mib_max: rssMibMax,
      pss_mib: proportionalMib(process.pid),
    }));
    return { seconds, processes };
  }

  #sample(): void {
    for (const one of this.#processes) one.rssMibMax = Math.max(one.rssMibMax, residentMib(one.member.process.pid));
  }
}
