import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from '@mvm-ci/protocol';
import { runCli } from 'mvm-ci';
import { documents, read, readManifest, root } from './repository.ts';

/** The text without fenced code, whose brackets and hashes are not links and headings. */
const prose = (path: string): string => read(path).replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '');

/** A heading's anchor, as code hosts make it. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

const anchorsIn = (path: string): readonly string[] =>
  [...prose(path).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

const brokenLink = (document: string, target: string): string | undefined => {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? document : normalize(join(dirname(document), path));
  if (!existsSync(join(root, file))) return `${document}: ${target} leads to no file`;
  const found = anchor === undefined || !file.endsWith('.md') || anchorsIn(file).includes(anchor);
  return found ? undefined : `${document}: ${target} leads to no heading`;
};

/** Asks a command for its help. @returns its exit code */
const helpOf = (verb: string): Promise<number> =>
  runCli({
    args: [verb, '--help'],
    env: {},
    cwd: root,
    pid: process.pid,
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    readStdin: () => Promise.resolve(''),
    onInterrupt: () => () => undefined,
  });

/** What follows a command's name in any document, with the document. */
const commandsIn = (pattern: RegExp): readonly (readonly [string, string])[] =>
  documents.flatMap((path) => [...read(path).matchAll(pattern)].map(([, word = '']) => [path, word] as const));

test('every link in a document leads to a file, and to a heading if it names one', () => {
  const broken = documents.flatMap((document) =>
    [...prose(document).matchAll(/\]\(([^()\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .flatMap((target) => brokenLink(document, target) ?? []),
  );
  assert.deepEqual(broken, []);
});

test('the error reference has one section for each error code, and no other', () => {
  const sections = [...prose('docs/reference/errors.md').matchAll(/^### (\S+)$/gm)].map(([, code = '']) => code);
  assert.deepEqual(sections.toSorted(), Object.keys(errorCodes).toSorted());
});

test('the error reference gives each code the status that the API answers with', () => {
  const reference = read('docs/reference/errors.md');
  for (const [code, { status }] of Object.entries(errorCodes)) {
    assert.match(reference, new RegExp(`^### ${code}\\n\\nHTTP ${status}\\b`, 'm'));
  }
});

test('every npm script that a document names exists', () => {
  const { scripts = {} } = readManifest('package.json');
  const unknown = commandsIn(/\bnpm run (?:-s )?([\w:-]+)/g).filter(([, script]) => !(script in scripts));
  assert.deepEqual(unknown, []);
});

test('every mvm-ci command that a document names has its help', async () => {
  const verbs = new Map(commandsIn(/\b(?:npx )mvm-ci ([a-z][\w-]*)/g).map(([path, verb]) => [verb, path]));
  for (const [verb, path] of verbs) assert.equal(await helpOf(verb), 0, `${path}: ${verb}`);
});
