/** A folder as an ext4 file system in a file, without being root: no loop device, no mount. */
import { lutimesSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asRoot, run } from './command.ts';

const label = 'mvm-ci-worker';
/** Fixed, so that the same files make the same image. */
const uuid = '6d766d2d-6369-4000-8000-776f726b6572';
const features = '^has_journal,^resize_inode,^metadata_csum_seed';
const mib = 1024 * 1024;
/** Room for the tables, beside the files. */
const spare = 1.06;
const spareMib = 8;

/** Gives every file of a folder the same time. */
const setTimes = (tree: string, seconds: number): void => {
  for (const path of readdirSync(tree, { recursive: true, encoding: 'utf8' }))
    lutimesSync(join(tree, path), seconds, seconds);
  lutimesSync(tree, seconds, seconds);
};

const sizeMib = (tree: string): number => {
  const blocks = Number(String(run('du', ['-s', '--block-size=4096', tree])).split('\t')[0]);
  return Math.ceil(((blocks * 4096) / mib) * spare + spareMib);
};

/** Makes `file`. @param seconds the time of everything in it, since 1970 */
export const makeFileSystem = (tree: string, file: string, seconds: number): void => {
  setTimes(tree, seconds);
  writeFileSync(file, '');
  const options = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-L', label, '-U', uuid, '-O', features];
  const fixed = `hash_seed=${uuid},lazy_itable_init=0,root_owner=0:0`;
  const args = ['mke2fs', ...options, '-E', fixed, '-d', tree, file, `${sizeMib(tree)}M`];
  const time = String(seconds);
  run('unshare', [...asRoot, ...args], { env: { E2FSPROGS_FAKE_TIME: time, SOURCE_DATE_EPOCH: time } });
};
