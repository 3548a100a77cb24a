/** The repository as the tidy tests read it: its tracked and new files, never what .gitignore names. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder, with a slash at its end. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** Paths of all files, relative to the root, with forward slashes. */
export const files: readonly string[] = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));

/** Our program files. */
export const sources: readonly string[] = files.filter((path) => /\.(ts|mts|mjs|js)$/.test(path));

export const documents: readonly string[] = files.filter((path) => path.endsWith('.md'));

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** A package.json, as far as the tests look into it. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const readManifest = (path: string): Manifest => {
  const manifest: Manifest = JSON.parse(read(path));
  return manifest;
};

/** Every line of the given files that matches, as `path:line: text`, for a message that points at the place. */
export const matchingLines = (paths: readonly string[], pattern: RegExp): readonly string[] =>
  paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
