/**
 * The linter's rules, as a program and not as JSON: an override replaces all options of a rule, so every folder needs
 * its whole list of refused imports. Here the lists are put together from tables: the arrows between our packages
 * (tests/tidy/package-arrow.ts), what of the host core code may not reach, and who runs without Node.
 *
 * 1. A later override wins over an earlier one, rule by rule.
 * 2. tests/tidy/lint-rule.test.ts shows that each rule fires: a rule added here gets a bad file there.
 */
import type { DummyRuleMap, OxlintConfig, OxlintOverride } from 'oxlint';
import { corePackages, packageArrows, packageName } from './tests/tidy/package-arrow.ts';

interface RefusedImport {
  readonly regex: string;
  readonly message: string;
}

const packages = Object.keys(packageArrows);

/** Packages that also run where there is no Node: in a guest or a browser. */
const nodelessPackages = ['sdk', 'client', 'dashboard'];

/** Packages whose tests put the whole product together, and so may import any package. */
const assemblingPackages = ['cli', 'testkit'];

/** The files of a core package that carry its ports to the host: only they may reach it (I9). */
const adapterFiles = (folder: string): string[] =>
  ['adapters/**', 'system-*.ts', '*-thread.ts'].map((name) => `packages/${folder}/src/**/${name}`);

const hostModules = [
  'process',
  'timers',
  'timers/promises',
  'perf_hooks',
  'child_process',
  'fs',
  'fs/promises',
  'net',
  'tls',
  'dgram',
  'dns',
  'dns/promises',
  'http',
  'https',
  'http2',
  'os',
];

const hostGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'process',
  'fetch',
  'performance',
  'crypto',
  'WebSocket',
  'EventSource',
  'XMLHttpRequest',
  'navigator',
  'localStorage',
  'sessionStorage',
];

const hostProperties = {
  Date: ['now'],
  Math: ['random'],
  AbortSignal: ['timeout'],
  Temporal: ['Now'],
  globalThis: ['process', 'fetch', 'crypto', 'performance', 'setTimeout'],
};

const randomImport = {
  name: 'node:crypto',
  importNames: [
    'randomBytes',
    'randomFill',
    'randomFillSync',
    'randomInt',
    'randomUUID',
    'getRandomValues',
    'webcrypto',
    'default',
  ],
  message: 'Randomness is a parameter in core code (I9). Hashes by name are fine.',
};

/** Refused in every file. */
const fileImports: readonly RefusedImport[] = [
  {
    regex: '^(@mvm-ci/[^/]+|mvm-ci)/',
    message: 'A package is what its src/index.ts exports: import the package, not a file in it.',
  },
  {
    regex: `^(\\.\\./)+(packages/)?(${packages.join('|')})/(src|test|bin)/`,
    message: 'Import another package by its name, never by a path into it.',
  },
];

const irohImport: RefusedImport = {
  regex: '^@number0/iroh',
  message: 'Only packages/net/src/iroh knows the native binding: use the endpoint of @mvm-ci/net.',
};

const hostImport: RefusedImport = {
  regex: `^(node:)?(${hostModules.join('|')})$`,
  message:
    'Clock, random, disk, network and process are parameters in core code (I9): take a port; only the adapters named in oxlint.config.ts reach the host.',
};

const nodeImport: RefusedImport = {
  regex: '^node:',
  message: 'This package runs where there is no Node: no node:* module.',
};

/** All packages that no arrow leads to from `folder`; `alsoAllowed` are folders that an arrow need not name. */
const arrowImport = (folder: string, ...alsoAllowed: readonly string[]): RefusedImport => {
  const arrows = packageArrows[folder] ?? [];
  const allowed = [folder, ...arrows, ...alsoAllowed];
  const refused = packages.filter((name) => !allowed.includes(name)).map(packageName);
  return {
    regex: `^(${refused.join('|')})$`,
    message: `packages/${folder} may import only ${arrows.map(packageName).join(', ') || 'nothing of ours'} (design: packages and arrows).`,
  };
};

const importRule = (...patterns: readonly RefusedImport[]): DummyRuleMap => ({
  'no-restricted-imports': ['error', { patterns: [...fileImports, ...patterns] }],
});

const coreImportRule = (...patterns: readonly RefusedImport[]): DummyRuleMap => ({
  'no-restricted-imports': ['error', { paths: [randomImport], patterns: [...fileImports, ...patterns, hostImport] }],
});

const sourceOverrides = (folder: string): OxlintOverride[] => {
  const files = [`packages/${folder}/src/**`];
  const arrow = arrowImport(folder);
  if (nodelessPackages.includes(folder)) return [{ files, rules: importRule(arrow, irohImport, nodeImport) }];
  if (!corePackages.includes(folder)) return [{ files, rules: importRule(arrow, irohImport) }];
  const iroh = { files: ['packages/net/src/iroh/**'], rules: coreImportRule(arrow) };
  return [
    { files, rules: coreImportRule(arrow, irohImport) },
    ...(folder === 'net' ? [iroh] : []),
    { files: adapterFiles(folder), rules: importRule(arrow, irohImport) },
  ];
};

const testOverrides = (folder: string): OxlintOverride[] =>
  assemblingPackages.includes(folder)
    ? []
    : [{ files: [`packages/${folder}/test/**`], rules: importRule(arrowImport(folder, 'testkit')) }];

const hostMessage = 'Clock, random, network and process are parameters in core code (I9).';

/** Core code names nothing of the host: what an import rule cannot see. */
const hostOverride: OxlintOverride = {
  files: corePackages.map((folder) => `packages/${folder}/src/**`),
  excludeFiles: adapterFiles('*'),
  rules: {
    'no-restricted-globals': ['error', ...hostGlobals.map((name) => ({ name, message: hostMessage }))],
    'no-restricted-properties': [
      'error',
      ...Object.entries(hostProperties).flatMap(([object, properties]) =>
        properties.map((property) => ({ object, property, message: hostMessage })),
      ),
    ],
  },
};

const config: OxlintConfig = {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'node', 'promise'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  env: { builtin: true, node: true },
  ignorePatterns: ['**/node_modules', '**/dist', '**/.mvm-ci', 'examples/*/assembly', 'tests/e2e/fixtures/*/assembly'],
  rules: {
    'typescript/no-floating-promises': [
      'error',
      {
        allowForKnownSafeCalls: [
          {
            from: 'package',
            package: 'node:test',
            name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
          },
        ],
      },
    ],
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/no-unsafe-function-type': 'error',
    'typescript/no-unsafe-type-assertion': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/consistent-type-exports': 'error',
    'import/consistent-type-specifier-style': 'off',
    'typescript/prefer-readonly': 'error',
    'typescript/consistent-return': 'off',
    'typescript/require-await': 'error',
    'typescript/no-deprecated': 'error',
    'import/no-default-export': 'error',
    'import/no-cycle': 'error',
    'import/no-unassigned-import': 'off',
    'import/no-named-as-default-member': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/require-post-message-target-origin': 'off',
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    'unicorn/prefer-node-protocol': 'error',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'no-console': 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    eqeqeq: 'error',
    'no-param-reassign': 'error',
    'max-lines': ['error', { max: 500, skipBlankLines: false, skipComments: false }],
    'max-lines-per-function': ['error', { max: 70, skipBlankLines: false, skipComments: false }],
    'max-params': ['error', { max: 3 }],
    'max-depth': ['error', { max: 3 }],
    complexity: ['error', { max: 15 }],
    ...importRule(),
    'node/no-process-env': 'off',
  },
  overrides: [
    ...packages.flatMap((folder) => [...sourceOverrides(folder), ...testOverrides(folder)]),
    hostOverride,
    {
      files: ['packages/*/src/**'],
      excludeFiles: ['packages/cli/src/**', 'packages/testkit/src/**'],
      rules: { 'node/no-process-env': 'error' },
    },
    {
      files: [
        'packages/cli/**',
        'packages/testkit/**',
        'scripts/**',
        'bench/**',
        'examples/**',
        'tests/**',
        'packages/*/test/**',
      ],
      rules: { 'no-console': 'off' },
    },
    {
      files: ['packages/*/test/**', 'tests/**'],
      rules: {
        'max-lines-per-function': 'off',
        'max-params': ['error', { max: 4 }],
        complexity: 'off',
        'typescript/no-unsafe-assignment': 'off',
        'typescript/no-unsafe-member-access': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
        'typescript/require-await': 'off',
      },
    },
    {
      // Plain JavaScript: what has no types cannot be checked for any.
      files: ['**/*.mjs'],
      rules: {
        'typescript/no-unsafe-argument': 'off',
        'typescript/no-unsafe-assignment': 'off',
        'typescript/no-unsafe-call': 'off',
        'typescript/no-unsafe-member-access': 'off',
        'typescript/no-unsafe-return': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
      },
    },
    { files: ['packages/protocol/src/error.ts'], rules: { 'max-params': ['error', { max: 4 }] } },
    // The linter and the job bundler read the default export.
    { files: ['examples/**', 'oxlint.config.ts'], rules: { 'import/no-default-export': 'off' } },
  ],
};

export default config;
