/**
 * `npm run check [-- NAME…]`: format, lint, types, unused code and the repository's own rules, side by side. Prints what
 * failed, and nothing of what passed but its name and time.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

interface Outcome {
  readonly step: Step;
  readonly passed: boolean;
  readonly output: string;
  readonly ms: number;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const node = process.execPath;

/** A tool's bin file: run by this Node, so that no shell or wrapper stands between. */
const bin = (path: string): string => `${root}node_modules/${path}`;

const steps: readonly Step[] = [
  {
    name: 'tidy',
    command: [node, '--test', '--test-isolation=none', '--test-reporter=spec', 'tests/tidy/**/*.test.ts'],
  },
  { name: 'types', command: [node, bin('typescript/bin/tsc'), '-p', '.', '--pretty', 'false'] },
  // A page has another environment than a process: other globals, and JSX.
  {
    name: 'page types',
    command: [node, bin('typescript/bin/tsc'), '-p', 'packages/dashboard', '--pretty', 'false'],
  },
  { name: 'lint', command: [node, bin('oxlint/bin/oxlint'), '--quiet'] },
  { name: 'unused', command: [node, bin('knip/bin/knip.js'), '--no-progress'] },
  // Strict looks at shipped code alone: each package must name in its own package.json what it imports, and no more.
  { name: 'dependencies', command: [node, bin('knip/bin/knip.js'), '--strict', '--dependencies', '--no-progress'] },
  { name: 'format', command: [node, bin('oxfmt/bin/oxfmt'), '--list-different', '.'] },
];

const runStep = (step: Step): Promise<Outcome> => {
  const startedMs = performance.now();
  const [command, ...args] = step.command;
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const output = Buffer.concat(chunks).toString('utf8').trim();
      resolve({ step, passed: code === 0, output, ms: performance.now() - startedMs });
    });
  });
};

const report = ({ step, passed, output, ms }: Outcome): void => {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${step.name} (${(ms / 1000).toFixed(1)} s)`);
  if (!passed) console.log(`${output}\n`);
};

/** Runs the steps, at most one per core at a time, longest first; resolves with whether all passed. */
const runAll = async (chosen: readonly Step[]): Promise<boolean> => {
  const waiting = [...chosen];
  let allPassed = true;
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      const outcome = await runStep(step);
      allPassed &&= outcome.passed;
      report(outcome);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return allPassed;
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no check is named ${unknown.join(', ')}: there are ${steps.map(({ name }) => name).join(', ')}`);
  process.exitCode = 2;
} else {
  const passed = await runAll(steps.filter(({ name }) => names.length === 0 || names.includes(name)));
  process.exitCode = passed ? 0 : 1;
}
