/** Error numbers of WASI preview 1 (its `errno` type), as far as this host gives them. */
export const errno = {
  success: 0,
  badf: 8,
  exist: 20,
  fault: 21,
  fbig: 22,
  ilseq: 25,
  inval: 28,
  isdir: 31,
  mfile: 33,
  nametoolong: 37,
  noent: 44,
  nospc: 51,
  nosys: 52,
  notdir: 54,
  notempty: 55,
  notsup: 58,
  perm: 63,
  spipe: 70,
  notcapable: 76,
} as const;

/** Ends a WASI call with an error number; the guest sees it as the call's result and goes on. */
export class WasiError extends Error {
  readonly errno: number;

  constructor(name: keyof typeof errno) {
    super(name);
    this.name = 'WasiError';
    this.errno = errno[name];
  }
}
