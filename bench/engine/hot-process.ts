/** A process with many suspended guests: says what it holds when all of them wait, as two numbers: MiB, and how many guests completed afterwards. */
import { readFile } from 'node:fs/promises';
import type { EffectPerformer } from '@mvm-ci/engine';
import { moduleHash } from '@mvm-ci/protocol';
import { emptyResponse, openBenchEngine } from '../bench-engine.ts';
import { workflows } from '../guest/workflows.ts';
import { secondsOf } from './single-run.ts';

const [count = '', path = ''] = process.argv.slice(2);
const guests = Number(count);
const file = await readFile(path);
const module = { name: 'hot', version: '1.0.0', hash: moduleHash(file), file };
const { promise: answers, resolve: answerAll } = Promise.withResolvers<undefined>();
const { promise: allWait, resolve: nowAllWait } = Promise.withResolvers<undefined>();
let waiting = 0;
const performer: EffectPerformer = {
  fetch: async () => {
    waiting += 1;
    if (waiting === guests) nowAllWait(undefined);
    await answers;
    return { type: 'fetched', response: emptyResponse };
  },
};

const engine = await openBenchEngine([module], performer);
const run = (number: number): Promise<number> =>
  secondsOf(engine, { job: `hot-${number}`, module: module.hash, workflow: workflows.threeEffects, input: 'null' });
const runs = Promise.all(Array.from({ length: guests }, (_, number) => run(number)));
await Promise.race([allWait, runs]);
const rssMib = process.memoryUsage.rss() / 1_048_576;
answerAll(undefined);
const completed = (await runs).length;
await engine.stop();
console.log(`${rssMib} ${completed}`);
