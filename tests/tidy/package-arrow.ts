/** Which package may import which, by folder name: the table of the design. oxlint.config.ts makes its rules of it. */
export const packageArrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  net: ['protocol'],
  engine: ['protocol'],
  metrics: [],
  control: ['protocol', 'net', 'metrics'],
  worker: ['protocol', 'net', 'engine', 'metrics'],
  flawless: ['protocol', 'net', 'engine', 'metrics'],
  sdk: [],
  build: ['protocol', 'sdk'],
  client: ['protocol'],
  cli: ['protocol', 'net', 'engine', 'control', 'dashboard', 'worker', 'flawless', 'sdk', 'build', 'client', 'testkit'],
  dashboard: ['protocol'],
  testkit: ['protocol', 'engine', 'build'],
};

/** The name that a package is imported by. */
export const packageName = (folder: string): string => (folder === 'cli' ? 'mvm-ci' : `@mvm-ci/${folder}`);

/** The packages whose code reaches the host (clock, random, disk, network, process) only through its ports. */
export const corePackages: readonly string[] = ['protocol', 'engine', 'control', 'net', 'worker', 'flawless'];
