import { run } from './command.ts';

/** The values of a worker's metric, one for each set of labels. */
export const metricsIn = async (worker: string, name: string): Promise<readonly number[]> => {
  const ask = `fetch('http://127.0.0.1:3030/metrics').then((r) => r.text()).then(console.log)`;
  const text = await run('docker', ['exec', worker, 'node', '-e', ask]);
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.map((line) => Number(line.slice(line.lastIndexOf(' '))));
};

/** The value of a worker's metric that has no labels. */
export const metricIn = async (worker: string, name: string): Promise<number> => {
  const [value, ...others] = await metricsIn(worker, name);
  if (value !== undefined && others.length === 0) return value;
  throw new Error(`${name} should have one value`);
};
