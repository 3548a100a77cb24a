import assert from 'node:assert/strict';
import { test } from 'node:test';
import { files, matchingLines, read, sources } from './repository.ts';

const linesMax = 500;
const forbiddenNouns = ['utils', 'util', 'common', 'helpers', 'helper', 'misc', 'types', 'manager'];
// One letter of each word stands in brackets, so that this file does not find itself.
const leftOvers = /\b(T[O]DO|FI[X]ME|X[X]X|H[A]CK)\b|\.(only|skip)\(|\b(test|it)\.to[d]o\b/;
const machinePaths = /(?<![\w.-])\/(wor[k]|roo[t])\/[\w.-]+/;

const coreFiles = sources.filter(
  (path) =>
    /^packages\/(protocol|engine|control|net|worker)\/src\//.test(path) &&
    !/\/adapters\/|\/system-[^/]*\.ts$|-thread\.ts$/.test(path),
);

test('no program file is longer than its budget', () => {
  const long = sources.filter((path) => read(path).trimEnd().split('\n').length > linesMax);
  assert.deepEqual(long, [], `more than ${linesMax} lines`);
});

test('every file and folder is named by what it holds', () => {
  const vague = files.filter((path) =>
    path.split('/').some((part) =>
      part
        .replace(/\..*$/, '')
        .split('-')
        .some((word) => forbiddenNouns.includes(word)),
    ),
  );
  assert.deepEqual(vague, []);
});

test('no left-over mark stands in the code, and every test runs', () => {
  assert.deepEqual(matchingLines(sources, leftOvers), []);
});

test('no module has a default export but where a tool reads one', () => {
  const ours = sources.filter((path) => !path.startsWith('examples/') && path !== 'oxlint.config.ts');
  assert.deepEqual(matchingLines(ours, /^export default\b|^export \{[^}]*\bas default\b/), []);
});

test('no file names a path of one machine', () => {
  const texts = files.filter((path) => /\.(ts|mjs|js|json|md|ya?ml|sh)$/.test(path) || path === '.ci/run');
  assert.deepEqual(matchingLines(texts, machinePaths), []);
});

test('core code makes no date from the ambient clock', () => {
  assert.deepEqual(matchingLines(coreFiles, /\bnew Date\(\s*\)|(?<![.\w])Date\(\s*\)/), []);
});

test('every lint rule that is switched off in place names the rule and the reason', () => {
  const bare = matchingLines(sources, /(ox|es)lint-disable/).filter(
    (line) => !/lint-disable[\w-]* [\w@/-]+(, [\w@/-]+)* -- \S+/.test(line) && !line.startsWith('tests/tidy/'),
  );
  assert.deepEqual(bare, []);
});
