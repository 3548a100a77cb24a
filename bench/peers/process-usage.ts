/** What a process uses, as Linux tells it (proc(5)). */
import { readFileSync } from 'node:fs';

/** The unit of `utime` and `stime`: 100 a second on every Linux that Node runs on. */
const ticksPerS = 100;
const kibPerMib = 1_024;

/** Resident memory of a process, in MiB. */
export const residentMib = (pid: number): number => {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory: it is gone`);
  return Number(kib) / kibPerMib;
};

/** Processor time that a process has used since its start, all threads together, in seconds. */
export const processorSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold spaces: the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]].map(Number);
  return ((user ?? 0) + (system ?? 0)) / ticksPerS;
};
