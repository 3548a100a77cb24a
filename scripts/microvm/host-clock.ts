import { readFileSync } from 'node:fs';

const baseFrequency = '/sys/devices/system/cpu/cpu0/cpufreq/base_frequency';

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** The frequency of this machine's time stamp counter in kHz, as far as the system tells; undefined where it doesn't. */
export const timeStampKhz = (): number | undefined => {
  const base = Number(textOf(baseFrequency));
  if (base > 0) return base;
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(textOf('/proc/cpuinfo') ?? '')?.[1]);
  return mhz > 0 ? Math.round(mhz * 1_000) : undefined;
};
