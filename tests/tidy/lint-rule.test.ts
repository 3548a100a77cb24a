/**
 * Every rule that we rely on is seen to fire: bad files are written into a copy of the tree's shape, under the
 * repository's own lint configuration, and the linter must name the rule for each.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { corePackages, packageArrows, packageName } from './package-arrow.ts';
import { root } from './repository.ts';

interface Fixture {
  readonly path: string;
  readonly code: string;
  /** The rule that must fire, or undefined where the file is allowed. */
  readonly rule: string | undefined;
}

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

const lines = (count: number): string => 'void 0;\n'.repeat(count);

/** Rules that hold everywhere, shown in one package. */
const everywhere: readonly (readonly [string, string])[] = [
  ['typescript(no-floating-promises)', 'export const f = async (): Promise<void> => { await 0 as never; };\nf();'],
  [
    'typescript(no-misused-promises)',
    'export const f = (g: () => Promise<boolean>): number => { if (g()) return 1; return 2; };',
  ],
  [
    'typescript(switch-exhaustiveness-check)',
    "export const f = (x: 'a' | 'b'): void => { switch (x) { case 'a': break; } };",
  ],
  ['typescript(no-explicit-any)', 'export const f = (x: any): void => { void x; };'],
  ['typescript(no-non-null-assertion)', 'export const f = (x?: string): string => x!;'],
  ['typescript(no-unsafe-assignment)', "export const f = (): void => { const x = JSON.parse('1'); void x; };"],
  ['typescript(no-unsafe-call)', "export const f = (): void => { JSON.parse('1')(); };"],
  ['typescript(no-unsafe-member-access)', "export const f = (): void => { void JSON.parse('1').x; };"],
  ['typescript(no-unsafe-argument)', "export const f = (): number => Number.parseInt(JSON.parse('1'), 10);"],
  ['typescript(no-unsafe-return)', "export const f = (): string => JSON.parse('1');"],
  ['typescript(no-unsafe-type-assertion)', 'export const f = (x: unknown): string => x as string;'],
  ['typescript(await-thenable)', 'export const f = async (): Promise<void> => { await 1; };'],
  ['typescript(only-throw-error)', "export const f = (): void => { throw 'text'; };"],
  [
    'typescript(consistent-type-imports)',
    "import { Buffer } from 'node:buffer';\nexport const f = (x: Buffer): void => { void x; };",
  ],
  ['typescript(prefer-readonly)', 'export class C { #x = 1; get x(): number { return this.#x; } }'],
  ['eslint(max-lines)', lines(501)],
  ['eslint(max-lines-per-function)', `export const f = (): void => {\n${lines(71)}};`],
  ['eslint(max-params)', 'export const f = (a: 1, b: 1, c: 1, d: 1): number => a + b + c + d;'],
  [
    'eslint(max-depth)',
    'export const f = (x: boolean): void => { if (x) { if (!x) { if (x) { if (!x) { void x; } } } } };',
  ],
  ['eslint(complexity)', `export const f = (x: number): void => {\n${'if (x > 1) void x;\n'.repeat(16)}};`],
  ['import(no-default-export)', 'export default 1;'],
  ['eslint(no-console)', "console.log('x');"],
  ['node(no-process-env)', "void process.env['HOME'];"],
  ['eslint(no-restricted-imports)', "import '@mvm-ci/protocol/src/error.ts';"],
  ['eslint(no-restricted-imports)', "import '../../protocol/src/error.ts';"],
];

const ambient = [
  'Date.now()',
  'Math.random()',
  'setTimeout(() => 1, 1)',
  'setInterval(() => 1, 1)',
  'setImmediate(() => 1)',
  'process.pid',
  "fetch('x')",
  'performance.now()',
  'crypto.randomUUID()',
  'AbortSignal.timeout(1)',
  'Temporal.Now.instant()',
];
const hostImports = [
  "import 'node:fs';",
  "import 'node:timers/promises';",
  "import 'node:child_process';",
  "import 'node:net';",
  "import { randomBytes } from 'node:crypto';\nvoid randomBytes;",
];

const globalRule = (code: string): string =>
  /^(Date|Math|AbortSignal|Temporal)\./.test(code)
    ? 'eslint(no-restricted-properties)'
    : 'eslint(no-restricted-globals)';

const arrowFixtures = (): readonly Fixture[] =>
  Object.entries(packageArrows).flatMap(([from, allowed]) =>
    Object.keys(packageArrows)
      .filter((to) => to !== from)
      .map((to) => ({
        path: `packages/${from}/src/to-${to}.ts`,
        code: `import '${packageName(to)}';`,
        rule: allowed.includes(to) ? undefined : 'eslint(no-restricted-imports)',
      })),
  );

const importRule = 'eslint(no-restricted-imports)';
const fixtures: readonly Fixture[] = [
  ...everywhere.map(([rule, code], index) => ({ path: `packages/worker/src/everywhere-${index}.ts`, code, rule })),
  ...corePackages.flatMap((name) => [
    ...ambient.map((code, index) => ({
      path: `packages/${name}/src/ambient-${index}.ts`,
      code: `void ${code};`,
      rule: globalRule(code),
    })),
    ...hostImports.map((code, index) => ({ path: `packages/${name}/src/host-${index}.ts`, code, rule: importRule })),
    { path: `packages/${name}/src/system-clock.ts`, code: "import 'node:fs';\nvoid Date.now();", rule: undefined },
  ]),
  ...arrowFixtures(),
  ...['sdk', 'client'].map((name) => ({
    path: `packages/${name}/src/host.ts`,
    code: "import 'node:fs';",
    rule: importRule,
  })),
  { path: 'packages/control/src/iroh.ts', code: "import '@number0/iroh';", rule: importRule },
  { path: 'packages/net/src/iroh.ts', code: "import '@number0/iroh';", rule: importRule },
  { path: 'packages/net/src/iroh/binding.ts', code: "import '@number0/iroh';", rule: undefined },
  { path: 'packages/cli/src/environment.ts', code: "void process.env['HOME'];", rule: undefined },
  { path: 'packages/engine/test/arrow.test.ts', code: "import '@mvm-ci/control';", rule: importRule },
  { path: 'packages/engine/test/kit.test.ts', code: "import '@mvm-ci/testkit';", rule: undefined },
];

/** The files that the linter's rules are read from. */
const configuration = ['oxlint.config.ts', 'tests/tidy/package-arrow.ts', 'tsconfig.json', 'package.json'];

/** The rules that fired, by file. */
const fired = new Map<string, readonly string[]>();
const tree = mkdtempSync(join(tmpdir(), 'mvm-lint-'));

before(() => {
  for (const name of configuration) cpSync(join(root, name), join(tree, name));
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  for (const { path, code } of fixtures) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), `${code}\nexport {};\n`);
  }
  const linter = join(root, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [linter, '--format=json'], {
    cwd: tree,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const { diagnostics }: { diagnostics: readonly Diagnostic[] } = JSON.parse(stdout);
  for (const { filename, code } of diagnostics) fired.set(filename, [...(fired.get(filename) ?? []), code]);
});

after(() => rmSync(tree, { recursive: true, force: true }));

const firedFor = ({ path }: Fixture): readonly string[] => fired.get(path) ?? [];

const check = (chosen: readonly Fixture[]): void => {
  const silent = chosen.filter((fixture) => fixture.rule !== undefined && !firedFor(fixture).includes(fixture.rule));
  assert.deepEqual(silent, [], 'these rules did not fire');
};

test('every rule that holds everywhere fires', () =>
  check(fixtures.filter(({ path }) => path.includes('/everywhere-'))));

test('core code reaches no clock, random, network or process but through its ports', () =>
  check(fixtures.filter(({ path }) => /\/(ambient|host)-/.test(path))));

test('every import that the arrows forbid is refused', () =>
  check(fixtures.filter(({ path }) => path.includes('/to-'))));

test('the remaining restrictions fire', () => check(fixtures));

test('what is allowed is not refused', () => {
  const restricted = /no-restricted|no-process-env/;
  const refused = fixtures.filter(
    ({ rule, path }) => rule === undefined && (fired.get(path) ?? []).some((code) => restricted.test(code)),
  );
  assert.deepEqual(refused, []);
});
