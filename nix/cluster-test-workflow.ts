import { log, sleep } from '@mvm-ci/sdk';

/** Takes many short steps, so that a worker holds it all the while. */
export async function count(steps: number): Promise<number> {
  for (let step = 1; step <= steps; step += 1) {
    await sleep(100);
    log.info(`step ${step}`);
  }
  return steps;
}
