/**
 * `scripts/run-microvm OPTIONS [-- WORKER-ARGUMENTS]`: starts microVMs with a worker in each, tells what becomes of them, and ends when all
 * have ended. SIGINT and SIGTERM drain them. docs/guides/deploy-microvm.md is the guide.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fail, UserError } from './command.ts';
import { timeStampKhz } from './host-clock.ts';
import { firecrackerConfig, type Machine } from './machine.ts';
import { optionsFrom, usage, type Options } from './options.ts';
import { makeSettingsDisk } from './settings.ts';
import { VirtualMachine } from './virtual-machine.ts';

/** Beyond the grace time of its worker, for a machine to end. */
const endSeconds = 60;

const namesOf = ({ name, count }: Options): readonly string[] =>
  count === 1 ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);

const machineOf = (options: Options, name: string, folder: string): Machine => {
  const image = {
    kernel: join(options.image, 'vmlinux'),
    initramfs: join(options.image, 'initramfs'),
    root: join(options.image, 'root.ext4'),
  };
  for (const path of Object.values(image))
    if (!existsSync(path)) throw new UserError(`${path} is missing: make it with scripts/build-worker-image`);
  const settingsDisk = makeSettingsDisk(folder, { ...options, name });
  return { image, settingsDisk, memoryMib: options.memoryMib, cpus: options.cpus };
};

/** Writes what Firecracker needs, and says how it is started. */
const writeFirecracker = (options: Options, folder: string): number => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  for (const [index, name] of namesOf(options).entries()) {
    const machine = machineOf(options, name, folder);
    const path = join(folder, `${name}.json`);
    writeFileSync(path, `${JSON.stringify(firecrackerConfig(machine, `${options.tap}${index}`), undefined, 2)}\n`);
    console.log(`firecracker --api-sock ${join(folder, `${name}.socket`)} --config-file ${path}`);
  }
  return 0;
};

/** Runs one machine to its end. @returns the exit code that it asks for */
const runMachine = async (
  options: Options,
  name: string,
  { folder, stop }: { readonly folder: string; readonly stop: AbortSignal },
): Promise<number> => {
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1_000).toFixed(1);
  const consolePath = join(options.logs, `${name}.log`);
  const { accelerator } = options;
  const tscKhz = accelerator === 'tcg' ? timeStampKhz() : undefined;
  const monitor = join(folder, `${name}.monitor`);
  const machine = { ...machineOf(options, name, folder), name, accelerator, tscKhz, monitor };
  const vm = new VirtualMachine(machine, consolePath, () => console.log(`${name} joined after ${seconds()} s`));
  console.log(`${name} starts: pid ${vm.pid}, console in ${consolePath}`);
  const powerDown = (): void => void vm.powerDown((options.graceSeconds + endSeconds) * 1_000);
  if (stop.aborted) powerDown();
  stop.addEventListener('abort', powerDown);
  const { workerCode, reason } = await vm.closed;
  stop.removeEventListener('abort', powerDown);
  if (workerCode === undefined) console.log(`${name} ended without a word of its worker: ${reason}`);
  else console.log(`${name} ended after ${seconds()} s: its worker with ${workerCode}`);
  return workerCode ?? 1;
};

const runMachines = async (options: Options): Promise<number> => {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (!stop.signal.aborted) console.log('Draining: each machine ends when its worker has given back its jobs');
      stop.abort();
    });
  mkdirSync(options.logs, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-vm-'));
  try {
    const place = { folder, stop: stop.signal };
    const codes = await Promise.all(namesOf(options).map((name) => runMachine(options, name, place)));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const main = async (args: readonly string[]): Promise<number> => {
  const options = optionsFrom(args, process.env, (path) => readFileSync(path, 'utf8'));
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  return options.firecracker === undefined
    ? runMachines(options)
    : writeFirecracker(options, resolve(options.firecracker));
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  fail('run-microvm', error);
}
