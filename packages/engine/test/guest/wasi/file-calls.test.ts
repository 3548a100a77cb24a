import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { engineLimits } from '../../../src/limits.ts';
import { errno } from '../../../src/guest/wasi/errno.ts';
import { rights } from '../../../src/guest/wasi/stat.ts';
import { place, WasiFiles } from '../../fixtures/wasi-files.ts';

const create = 1;
const directory = 2;
const exclusive = 4;
const truncate = 8;
const append = 1;

const seek = (files: WasiFiles, fd: number, offset: bigint, whence: number): bigint | number => {
  const code = files.call('fd_seek', fd, offset, whence, place.out);
  return code === 0 ? files.memory.u64(place.out) : -code;
};
const sizeOf = (files: WasiFiles, fd: number): bigint => {
  assert.equal(files.call('fd_filestat_get', fd, 1_024), 0);
  return files.memory.u64(1_024 + 32);
};

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/** What arrays hold outside of the heap. */
const heldBytes = (): number => process.memoryUsage().arrayBuffers;

describe('the files of a wasi guest', () => {
  it('are read where they were written, from any position', () => {
    const files = new WasiFiles();
    const fd = files.open('tmp/a', create);
    assert.equal(files.write(fd, 'hello world'), 11);
    assert.equal(seek(files, fd, -5n, 2), 6n);
    assert.equal(files.read(fd, 100), 'world');
    assert.equal(files.read(fd, 100), '', 'the end');
    assert.equal(seek(files, fd, 0n, 0), 0n);
    assert.equal(files.write(fd, 'J'), 1);
    assert.equal(seek(files, fd, -1n, 1), 0n);
    assert.equal(files.read(fd, 5), 'Jello');
    assert.equal(seek(files, fd, -1n, 0), -errno.inval);
    assert.equal(sizeOf(files, fd), 11n);
  });

  it('have zeroes where nothing was written, also where they were cut before', () => {
    const files = new WasiFiles();
    const fd = files.open('a', create);
    files.write(fd, 'secret');
    assert.equal(files.call('fd_filestat_set_size', fd, 2n), 0);
    seek(files, fd, 5n, 0);
    files.write(fd, 'x');
    seek(files, fd, 0n, 0);
    assert.equal(files.read(fd, 10), 'se\0\0\0x');
  });

  it('are appended to at their end, wherever the position is', () => {
    const files = new WasiFiles();
    const one = files.open('log', create, { fdflags: append });
    const two = files.open('log', 0, { fdflags: append });
    files.write(one, 'a');
    files.write(two, 'b');
    files.write(one, 'c');
    assert.equal(files.read(files.open('log'), 10), 'abc');
  });

  it('are made only when asked for, once when exclusive, and emptied when truncated', () => {
    const files = new WasiFiles();
    assert.equal(files.open('a'), -errno.noent);
    files.write(files.open('a', create), 'text');
    assert.equal(files.open('a', create | exclusive), -errno.exist);
    assert.equal(files.read(files.open('a', create), 10), 'text');
    assert.equal(sizeOf(files, files.open('a', truncate)), 0n);
    assert.equal(files.open('a', directory), -errno.notdir);
    assert.equal(files.open('a/', create), -errno.notdir);
    assert.equal(files.open('new/', create), -errno.isdir);
  });

  it('are not read by who may only write, nor written by who may only read', () => {
    const files = new WasiFiles();
    const writer = files.open('a', create, { base: rights.write });
    const reader = files.open('a', 0, { base: rights.read });
    assert.equal(files.read(writer, 1), -errno.badf);
    assert.equal(files.write(reader, 'x'), -errno.badf);
    assert.equal(files.call('fd_filestat_set_size', reader, 0n), errno.badf);
    assert.equal(files.write(3, 'x'), -errno.isdir);
    assert.equal(files.write(99, 'x'), -errno.badf);
    assert.equal(files.read(-1, 1), -errno.badf);
  });

  it('live on without a name until nobody has them open', () => {
    const files = new WasiFiles();
    const fd = files.open('a', create);
    files.write(fd, 'still here');
    assert.equal(files.call('path_unlink_file', 3, ...files.path('a')), 0);
    assert.equal(files.open('a'), -errno.noent);
    seek(files, fd, 0n, 0);
    assert.equal(files.read(fd, 20), 'still here');
    assert.equal(files.call('fd_close', fd), 0);
    assert.equal(files.call('fd_close', fd), errno.badf);
  });

  it('never lead out of the directory that a path starts from', () => {
    const files = new WasiFiles();
    assert.equal(files.call('path_create_directory', 3, ...files.path('d')), 0);
    assert.equal(files.open('d/../tmp/./../d', directory) > 3, true);
    assert.equal(files.open('..', directory), -errno.notcapable);
    assert.equal(files.open('d/../../x', create), -errno.notcapable);
    assert.equal(files.open('/etc/passwd'), -errno.notcapable);
    const below = files.open('d', directory);
    assert.equal(files.call('path_unlink_file', below, ...files.path('../tmp')), errno.notcapable);
    assert.equal(files.open(''), -errno.noent);
    assert.ok(files.open('constructor', create) > 3, 'a name like any other');
    assert.equal(files.open('constructor/../../x', create), -errno.notdir);
  });

  it('are renamed as POSIX says', () => {
    const files = new WasiFiles();
    const rename = (from: string, to: string): number =>
      files.call('path_rename', 3, ...files.path(from), 3, ...files.path(to, place.otherPath));
    for (const name of ['d', 'd/e', 'f']) files.call('path_create_directory', 3, ...files.path(name));
    files.write(files.open('a', create), 'A');
    files.write(files.open('b', create), 'B');
    assert.equal(rename('a', 'b'), 0);
    assert.equal(files.read(files.open('b'), 9), 'A');
    assert.equal(files.open('a'), -errno.noent);
    assert.equal(rename('b', 'd/b'), 0);
    assert.equal(rename('d', 'd/e/inside'), errno.inval);
    assert.equal(rename('f', 'd'), errno.notempty);
    assert.equal(rename('d', 'f'), 0, 'an empty directory is replaced');
    assert.equal(files.read(files.open('f/b'), 9), 'A');
    assert.equal(files.read(files.open('f/e/../b'), 9), 'A', 'a moved directory knows its new parent');
    assert.equal(rename('f/b', 'tmp'), errno.isdir);
    assert.equal(rename('tmp', 'f/b'), errno.notdir);
    assert.equal(rename('none', 'x'), errno.noent);
    assert.equal(rename('f/.', 'x'), errno.inval);
  });

  it('list a directory in the order in which it was filled, and go on when entries go away', () => {
    const files = new WasiFiles();
    const names = Array.from({ length: 20 }, (_, index) => `name-${index}`);
    for (const name of names) files.call('fd_close', files.open(`tmp/${name}`, create));
    const fd = files.open('tmp', directory);
    assert.deepEqual(files.list(fd), ['.', '..', ...names]);
    // Cookie 7 is behind ".", ".." and five names, of which three are gone by then.
    for (const name of names.slice(0, 3)) files.call('path_unlink_file', fd, ...files.path(name));
    assert.equal(files.call('fd_readdir', fd, place.bytes, 24 + 6, 7n, place.out), 0);
    assert.equal(files.memory.text(place.bytes + 24, 6), 'name-5');
  });

  it('remove a directory only when it is empty and no file stands for it', () => {
    const files = new WasiFiles();
    const remove = (path: string): number => files.call('path_remove_directory', 3, ...files.path(path));
    files.call('path_create_directory', 3, ...files.path('d'));
    const fd = files.open('d', directory);
    files.open('d/a', create);
    assert.equal(remove('d'), errno.notempty);
    assert.equal(remove('d/a'), errno.notdir);
    assert.equal(files.call('path_unlink_file', 3, ...files.path('d')), errno.isdir);
    files.call('path_unlink_file', 3, ...files.path('d/a'));
    assert.equal(remove('d/.'), errno.inval);
    assert.equal(remove('d'), 0);
    assert.equal(
      files.call('path_open', fd, 0, ...files.path('x'), create, rights.all, rights.all, 0, place.out),
      errno.noent,
      'nothing is made in a directory that is gone',
    );
  });

  it('have the times of the guest, and those that it sets', () => {
    const files = new WasiFiles();
    const fd = files.open('a', create);
    files.now = 5_000_000n;
    files.write(fd, 'x');
    files.call('fd_filestat_get', fd, 1_024);
    assert.deepEqual(
      [40, 48, 56].map((at) => files.memory.u64(1_024 + at)),
      [1_000_000n, 5_000_000n, 5_000_000n],
    );
    assert.equal(files.call('path_filestat_set_times', 3, 0, ...files.path('a'), 7n, 9n, 1 | 4), 0);
    files.call('path_filestat_get', 3, 0, ...files.path('a'), 1_024);
    assert.deepEqual(
      [40, 48].map((at) => files.memory.u64(1_024 + at)),
      [7n, 9n],
    );
    assert.equal(files.call('fd_filestat_set_times', fd, 0n, 0n, 1 | 2), errno.inval);
  });

  it('are modified when they are cut or filled up, and hear only advice that there is', () => {
    const files = new WasiFiles();
    const fd = files.open('a', create);
    const modified = (): bigint => {
      assert.equal(files.call('fd_filestat_get', fd, 1_024), 0);
      return files.memory.u64(1_024 + 48);
    };
    const changes = [
      (): number => files.call('fd_filestat_set_size', fd, 5n),
      (): number => files.call('fd_allocate', fd, 0n, 9n),
      (): number => files.open('a', truncate),
    ];
    for (const change of changes) {
      files.now += 1_000n;
      assert.ok(change() >= 0);
      assert.equal(modified(), files.now);
    }
    assert.equal(files.call('fd_advise', fd, 0n, 0n, 5), 0);
    assert.equal(files.call('fd_advise', fd, 0n, 0n, 6), errno.inval);
    assert.equal(files.call('fd_advise', 99, 0n, 0n, 0), errno.badf);
  });

  it('are limited in bytes and number, and what is removed makes room', () => {
    const files = new WasiFiles();
    const { fileBytesMax, filesMax, openFilesMax } = engineLimits;
    const fd = files.open('big', create);
    assert.equal(files.call('fd_allocate', fd, 0n, BigInt(fileBytesMax)), 0);
    assert.equal(files.write(files.open('more', create), 'x'), -errno.nospc);
    assert.equal(files.call('fd_filestat_set_size', fd, 1n << 60n), errno.fbig);
    files.call('path_unlink_file', 3, ...files.path('big'));
    assert.equal(files.write(files.open('more'), 'x'), -errno.nospc, 'still open');
    files.call('fd_close', fd);
    assert.equal(files.write(files.open('more'), 'x'), 1);

    // "tmp" and "more" are there.
    for (let index = 2; index < filesMax; index += 1)
      assert.equal(files.call('path_create_directory', 3, ...files.path(`d${index}`)), 0);
    assert.equal(files.open('one-too-many', create), -errno.nospc);
    files.call('path_remove_directory', 3, ...files.path('d5'));
    assert.ok(files.open('again', create) > 3);

    for (let index = 8; index <= openFilesMax; index += 1) files.open('more');
    assert.equal(files.open('more'), -errno.mfile);
    assert.equal(files.open('x'.repeat(256), create), -errno.nametoolong);
    assert.equal(files.open('d/'.repeat(3_000)), -errno.nametoolong);
  });

  it('keep nothing in the host of what was given back', () => {
    const files = new WasiFiles();
    const { fileBytesMax } = engineLimits;
    const before = heldBytes();
    for (let index = 0; index < 24; index += 1) {
      const fd = files.open(`f${index}`, 1);
      assert.equal(files.call('fd_allocate', fd, 0n, BigInt(fileBytesMax)), 0);
      assert.equal(files.call('fd_filestat_set_size', fd, 1n), 0);
      assert.equal(files.call('fd_filestat_set_size', fd, 100n), 0);
      assert.equal(files.call('fd_filestat_set_size', fd, 0n), 0);
    }
    // What was collected is freed in the background.
    for (let tries = 0; tries < 100 && heldBytes() - before >= fileBytesMax; tries += 1) collect();
    assert.ok(heldBytes() - before < fileBytesMax, `${heldBytes() - before} bytes`);
    assert.equal(files.open('f1'), 28, 'which are still there');
  });

  it('answer a place outside of memory and a name that is not UTF-8 with an error', () => {
    const files = new WasiFiles();
    assert.equal(files.call('fd_read', 3, 1 << 20, 1, place.out), errno.isdir);
    const fd = files.open('a', create);
    assert.equal(files.call('fd_read', fd, 1 << 20, 1, place.out), errno.fault);
    assert.equal(files.call('fd_write', fd, 4 * 65_536 - 12, 2, place.out), errno.fault);
    assert.equal(files.call('fd_write', fd, place.vector, -1, place.out), errno.inval, 'too many buffers');
    assert.equal(files.call('path_unlink_file', 3, 0, 1 << 17), errno.nametoolong);
    files.memory.write(place.path, new Uint8Array([0xff, 0xfe]));
    assert.equal(files.call('path_unlink_file', 3, place.path, 2), errno.ilseq);
    assert.equal(files.call('path_unlink_file', 3, -8, 100), errno.fault);
  });

  it('move a descriptor to another number', () => {
    const files = new WasiFiles();
    const [a, b] = [files.open('a', create), files.open('b', create)];
    files.write(a, 'A');
    assert.equal(files.call('fd_renumber', a, b), 0);
    assert.equal(files.call('fd_close', a), errno.badf);
    assert.equal(seek(files, b, 0n, 0), 0n);
    assert.equal(files.read(b, 9), 'A');
    assert.equal(files.call('fd_renumber', b, 77), errno.badf);
  });

  it('tell which path the root is opened under', () => {
    const files = new WasiFiles();
    assert.equal(files.call('fd_prestat_get', 3, 0), 0);
    assert.equal(files.memory.u32(4), 1);
    assert.equal(files.call('fd_prestat_dir_name', 3, place.path, 1), 0);
    assert.equal(files.memory.text(place.path, 1), '/');
    assert.equal(files.call('fd_prestat_get', 4, 0), errno.badf);
  });
});
