import { log, sleep } from '@mvm-ci/sdk';

/** What helm test runs: a job that waits once, so that its journal is written. */
export async function greet(name: string): Promise<string> {
  log.info(`a job for ${name}`);
  await sleep(100);
  return `hello, ${name}`;
}
