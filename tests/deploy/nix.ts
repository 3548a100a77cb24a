/** Nix, with a store of its own in a temporary folder, and a stub in the place of nixpkgs. Owns that folder. */
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The repository's folder, with a slash at its end. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));
const stub = fileURLToPath(new URL('nixpkgs-stub', import.meta.url));
const outputBytesMax = 64 * 1024 * 1024;

/** Our NixOS modules that make a service. */
export type ServiceModule = 'control-plane' | 'worker' | 'flawless';

/** What a module makes of settings. */
interface ModuleOutcome {
  /** Null: it is not enabled. */
  readonly service: {
    readonly environment: Readonly<Record<string, string>>;
    readonly serviceConfig: Readonly<Record<string, unknown>>;
  } | null;
  /** Open UDP ports. */
  readonly firewall: readonly number[];
  /** The names of all options. */
  readonly options: readonly string[];
}

/** Nix; or why there is none. */
export const findNix = async (): Promise<Nix | string> => {
  try {
    await execute('nix-instantiate', ['--version']);
  } catch {
    return 'Nix is not installed (nix-bin)';
  }
  return Nix.open();
};

/** Runs Nix. */
export class Nix implements AsyncDisposable {
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string | undefined>>;

  private constructor(folder: string) {
    this.#folder = folder;
    const places = { NIX_STORE_DIR: 'store', NIX_STATE_DIR: 'state', NIX_LOG_DIR: 'log', NIX_CONF_DIR: 'conf' };
    const own = Object.entries(places).map(([name, place]) => [name, join(folder, place)] as const);
    this.#env = { ...process.env, ...Object.fromEntries(own), HOME: folder };
  }

  static async open(): Promise<Nix> {
    const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-nix-'));
    await mkdir(join(folder, 'conf'));
    const settings = [
      'build-users-group =',
      'experimental-features = nix-command flakes',
      'substituters =',
      'sandbox = false',
    ];
    await writeFile(join(folder, 'conf/nix.conf'), `${settings.join('\n')}\n`);
    return new Nix(folder);
  }

  /** Reads a file. @throws with where it is wrong */
  async parse(path: string): Promise<void> {
    await this.#run('nix-instantiate', ['--parse', path]);
  }

  /** Evaluates an expression. @returns it as JSON */
  async evaluate(expression: string): Promise<string> {
    return this.#run('nix-instantiate', ['--eval', '--strict', '--json', '--expr', expression]);
  }

  /** Runs `nix flake` for the flake in a folder. */
  async flake([verb = '', ...flags]: readonly string[], folder: string): Promise<string> {
    const input = ['--override-input', 'nixpkgs', `path:${stub}`, '--no-write-lock-file'];
    return this.#run('nix', ['flake', verb, `path:${folder}`, ...flags, ...input]);
  }

  /** What a module makes of these settings. @throws with the option that is wrong */
  async service(module: ServiceModule, settings: object): Promise<ModuleOutcome> {
    const text = JSON.stringify(JSON.stringify(settings)).replaceAll('${', '\\${');
    const given = `{ module = ${root}nix/${module}.nix; name = "${module}"; settings = builtins.fromJSON ${text}; }`;
    const outcome: ModuleOutcome = JSON.parse(await this.evaluate(`import ${stub}/service.nix ${given}`));
    return outcome;
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    return (await execute(program, [...args], { env: this.#env, maxBuffer: outputBytesMax })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is in a store is read-only.
    await execute('chmod', ['-R', 'u+w', this.#folder]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
