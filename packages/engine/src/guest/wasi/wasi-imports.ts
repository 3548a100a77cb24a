/** What a `wasi` module may import, with each function's type: WASI preview 1 and the module `mvm`. */

/** Parameters, one letter each: `i` is i32, `I` is i64. All but `proc_exit` return an `errno`. */
const preview1 = {
  args_get: 'ii',
  args_sizes_get: 'ii',
  clock_res_get: 'ii',
  clock_time_get: 'iIi',
  environ_get: 'ii',
  environ_sizes_get: 'ii',
  fd_advise: 'iIIi',
  fd_allocate: 'iII',
  fd_close: 'i',
  fd_datasync: 'i',
  fd_fdstat_get: 'ii',
  fd_fdstat_set_flags: 'ii',
  fd_fdstat_set_rights: 'iII',
  fd_filestat_get: 'ii',
  fd_filestat_set_size: 'iI',
  fd_filestat_set_times: 'iIIi',
  fd_pread: 'iiiIi',
  fd_prestat_dir_name: 'iii',
  fd_prestat_get: 'ii',
  fd_pwrite: 'iiiIi',
  fd_read: 'iiii',
  fd_readdir: 'iiiIi',
  fd_renumber: 'ii',
  fd_seek: 'iIii',
  fd_sync: 'i',
  fd_tell: 'ii',
  fd_write: 'iiii',
  path_create_directory: 'iii',
  path_filestat_get: 'iiiii',
  path_filestat_set_times: 'iiiiIIi',
  path_link: 'iiiiiii',
  path_open: 'iiiiiIIii',
  path_readlink: 'iiiiii',
  path_remove_directory: 'iii',
  path_rename: 'iiiiii',
  path_symlink: 'iiiii',
  path_unlink_file: 'iii',
  poll_oneoff: 'iiii',
  proc_raise: 'i',
  random_get: 'ii',
  sched_yield: '',
  sock_accept: 'iii',
  sock_recv: 'iiiiii',
  sock_send: 'iiiii',
  sock_shutdown: 'ii',
} as const;

const mvm = { submit: 'ii', wait: 'i', read: 'ii', version: 'ii', pending: '' } as const;

const types: Readonly<Record<string, string>> = { i: 'i32', I: 'i64' };
const parametersOf = (letters: string): string =>
  letters
    .split('')
    .map((letter) => types[letter] ?? '')
    .join(', ');

const signatures = (module: string, table: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(table).map(([name, letters]) => [`${module}.${name}`, `(${parametersOf(letters)}) → (i32)`]);

/** `module.name` → type, as `(i32, i32) → (i32)`. */
export const wasiImports: ReadonlyMap<string, string> = new Map([
  ...signatures('wasi_snapshot_preview1', preview1),
  ['wasi_snapshot_preview1.proc_exit', '(i32) → ()'],
  ...signatures('mvm', mvm),
]);
