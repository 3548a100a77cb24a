/** `npm run bench -- NAME [--quick] [--json]`: runs bench/NAME/main.ts; without a known name, lists what there is. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const findBenches = (): ReadonlyMap<string, string> =>
  new Map(
    globSync('bench/*/main.ts', { cwd: root })
      .toSorted()
      .map((path) => [basename(dirname(path)), join(root, path)]),
  );

/** The first line of the comment at the head of a bench. */
const summaryOf = (path: string): string =>
  /^\/\*\*\s*(?:\*\s*)?(.+?)\s*(?:\*\/)?$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '';

const listing = (benches: ReadonlyMap<string, string>): string =>
  [...benches].map(([name, path]) => `  ${name.padEnd(12)}${summaryOf(path)}`).join('\n') || '  (none)';

const main = ([name, ...args]: readonly string[]): number => {
  const benches = findBenches();
  const path = benches.get(name ?? '');
  if (path !== undefined) return spawnSync(process.execPath, [path, ...args], { stdio: 'inherit' }).status ?? 1;
  const problem = name === undefined ? 'name a bench' : `no bench is named ${name}`;
  console.error(`${problem}: npm run bench -- NAME [--quick] [--json]\n${listing(benches)}`);
  return 2;
};

process.exitCode = main(process.argv.slice(2));
