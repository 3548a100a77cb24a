/** What processes and the machine use and have, as Linux tells it (proc(5)). */
import { readFileSync } from 'node:fs';

/** The unit of `utime` and `stime`: 100 a second on every Linux that Node runs on. */
const ticksPerS = 100;
const kibPerMib = 1_024;

const mibOf = (file: string, name: string): number | undefined => {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'))?.[1];
  return kib === undefined ? undefined : Number(kib) / kibPerMib;
};

/** Resident memory in MiB; pages that several processes share count in each of them. 0 when the process is gone. */
export const residentMib = (pid: number): number => unlessGone(() => mibOf(`/proc/${pid}/status`, 'VmRSS') ?? 0);

/** Proportional memory in MiB: of a page that n processes share, each has 1/n. 0 when the process is gone. */
export const proportionalMib = (pid: number): number =>
  unlessGone(() => mibOf(`/proc/${pid}/smaps_rollup`, 'Pss') ?? 0);

/** Processor time since its start, all threads together, in seconds. 0 when the process is gone. */
export const processorSeconds = (pid: number): number =>
  unlessGone(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces: the fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerS;
  });

/** Memory that the machine could give to new processes, in MiB; undefined where that is not told. */
export const availableMib = (): number | undefined => {
  try {
    return mibOf('/proc/meminfo', 'MemAvailable');
  } catch {
    return undefined;
  }
};

const unlessGone = (read: () => number): number => {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0;
    throw error;
  }
};
