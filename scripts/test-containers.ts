/**
 * `npm run test:containers [-- --if-possible] [PATH…]`: the tests of the images and the compose files.
 *
 * As root on Debian they start a Docker engine of their own, which needs no registry and is gone afterwards. Elsewhere, and when
 * NODE_IMAGE names the base of the images, they use the engine that answers. Where neither can be had they fail, or, with
 * --if-possible, say why and end well.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ContainerEngine, obstacle } from './container-engine.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ifPossible = '--if-possible';

/** Whoever ends this ends the tests, and the engine is taken down after them. */
const asked = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.abort());

const answers = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0;

const runTests = async (
  prefix: readonly string[],
  paths: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> => {
  // A signal that came while something was awaited that can't be left.
  await setImmediate();
  if (asked.signal.aborted) return 1;
  const [command, ...rest] = [...prefix, process.execPath];
  const args = [...rest, resolve(root, 'scripts/test.ts'), ...(paths.length > 0 ? paths : ['tests/containers'])];
  const tests = spawn(command, args, { stdio: 'inherit', cwd: root, env: { ...process.env, ...env } });
  asked.signal.addEventListener('abort', () => tests.kill('SIGTERM'));
  await once(tests, 'exit');
  return tests.exitCode ?? 1;
};

/** An engine of our own with a base image, or why there is none. */
const openEngine = async (): Promise<{ readonly engine: ContainerEngine; readonly image: string } | Error> => {
  console.log(
    'Starting a Docker engine for these tests, in a network of its own. At the first time that takes a minute.',
  );
  try {
    const engine = await ContainerEngine.start();
    try {
      return { engine, image: engine.makeBase() };
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
};

const main = async (args: readonly string[]): Promise<number> => {
  const paths = args.filter((arg) => arg !== ifPossible);
  const missing = (why: string): number => {
    console.error(`The container tests are ${args.includes(ifPossible) ? 'SKIPPED' : 'not run'}: ${why}.`);
    return args.includes(ifPossible) ? 0 : 1;
  };
  if (!answers('docker', 'compose', 'version') && !answers('docker-compose', 'version'))
    return missing('Docker Compose is not installed');
  const hindrance = process.env['NODE_IMAGE'] ? 'NODE_IMAGE is set' : obstacle();
  if (hindrance !== undefined)
    return answers('docker', 'version')
      ? runTests([], paths, {})
      : missing(`${hindrance}, and no Docker engine answers`);
  const opened = await openEngine();
  if (opened instanceof Error) return missing(opened.message);
  await using engine = opened.engine;
  return await runTests(['nsenter', ...engine.inside], paths, { DOCKER_HOST: engine.host, NODE_IMAGE: opened.image });
};

process.exitCode = await main(process.argv.slice(2));
