import { fileURLToPath } from 'node:url';
import { attempt, run } from './command.ts';

const folder = fileURLToPath(new URL('../../deploy/docker/', import.meta.url));

/** Runs a command of Compose, of the plugin or of the older program. @param files in deploy/docker */
export const compose = async (
  files: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> => {
  const all = [...files.flatMap((file) => ['-f', `${folder}${file}`]), ...args];
  const plugin = (await attempt('docker', ['compose', 'version'])).code === 0;
  return plugin ? run('docker', ['compose', ...all], env) : run('docker-compose', all, env);
};
