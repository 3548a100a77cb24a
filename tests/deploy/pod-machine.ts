/**
 * Runs the pods of a rendered chart as a machine of Kubernetes would, without one: init containers one after another, then the
 * containers; volumes, names of Services, users and roots as the objects say; probes and SIGTERM. Owns the processes, the
 * folders of volumes and the network. It needs root on Linux.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { podOf, type Container, type KubeObject, type PodSpec } from './chart.ts';
import { PodNetwork, type PodAddress } from './pod-network.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const script = fileURLToPath(new URL('container.sh', import.meta.url));
const programs = ['ip', 'nsenter', 'unshare', 'mount', 'chroot', 'setpriv'];
const group = 1000;
const pollMs = 300;

/** Why no pods can be run here; undefined when they can. */
export const obstacle = (): string | undefined => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can run pods';
  const folders = (process.env['PATH'] ?? '').split(':');
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  try {
    execFileSync('unshare', ['--mount', '--net', '--pid', '--fork', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this machine lets nobody make namespaces';
  }
};

/** A running pod. */
export class Pod {
  readonly name: string;
  readonly address: PodAddress;
  readonly spec: PodSpec;
  readonly #process: ChildProcess;
  readonly #output: string[] = [];
  readonly #ended: Promise<number>;

  constructor(name: string, address: PodAddress, started: { readonly spec: PodSpec; readonly process: ChildProcess }) {
    this.name = name;
    this.address = address;
    this.spec = started.spec;
    this.#process = started.process;
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (chunk: Buffer) => this.#output.push(chunk.toString()));
    this.#ended = once(this.#process, 'close').then(() => this.#process.exitCode ?? -1);
  }

  /** All that its container has printed. */
  get output(): string {
    return this.#output.join('');
  }

  /** The exit code of its container, once it has one. */
  get ended(): Promise<number> {
    return this.#ended;
  }

  /** Waits until its readiness probe succeeds. @throws with its output when it ends before */
  async ready(signal: AbortSignal): Promise<void> {
    const [container] = this.spec.containers;
    const probe = container?.readinessProbe?.httpGet;
    const port = container?.ports?.find(({ name }) => name === probe?.port)?.containerPort;
    while ((await this.#ask(`http://127.0.0.1:${port}${probe?.path}`)) !== '200') {
      if (this.#process.exitCode !== null || signal.aborted)
        throw new Error(`${this.name} is not ready:\n${this.output}`);
      await delay(pollMs);
    }
  }

  #ask(url: string): Promise<string> {
    const program = `fetch(process.argv[1]).then(({ status }) => console.log(status), () => console.log('none'))`;
    const args = [`--net=/run/netns/${this.address.namespace}`, process.execPath, '-e', program, url];
    return new Promise((done) => execFile('nsenter', args, (_error, stdout) => done(stdout.trim())));
  }

  /** Sends SIGTERM to the container's first process. @returns its exit code */
  async terminate(): Promise<number> {
    this.#signal('SIGTERM');
    return this.#ended;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#ended;
  }

  /** Tells the first process of the pod's own numbers: unshare, which waits for it, hands nothing on. */
  #signal(name: NodeJS.Signals): void {
    const { pid, exitCode } = this.#process;
    if (exitCode !== null) return;
    const first = Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10);
    if (Number.isNaN(first)) this.#process.kill(name);
    else process.kill(first, name);
  }
}

/** A machine for the pods of one release. */
export class PodMachine implements AsyncDisposable {
  readonly #objects: readonly KubeObject[];
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'mvm-ci-pods-'));
  readonly #network: PodNetwork;
  readonly #pods = new Set<Pod>();
  #started = 0;

  /** @param objects of the rendered chart */
  constructor(objects: readonly KubeObject[]) {
    this.#objects = objects;
    this.#network = new PodNetwork(join(this.#folder, 'hosts'));
    chmodSync(this.#folder, 0o755);
  }

  /** Starts the pod of an object; resolves when its first containers have ended well and its own one runs. */
  async start(object: KubeObject, name: string): Promise<Pod> {
    const spec = podOf(object);
    const [own] = spec?.containers ?? [];
    if (spec === undefined || own === undefined) throw new Error(`${object.kind} ${object.metadata.name} has no pod`);
    const address = this.#network.add();
    const volumes = this.#volumes(spec, name);
    for (const container of spec.initContainers ?? []) {
      const first = new Pod(name, address, { spec, process: this.#run(container, { name, address, volumes }) });
      this.#pods.add(first);
      const code = await first.ended;
      this.#pods.delete(first);
      if (code !== 0) throw new Error(`${container.name} of ${name} ended with ${code}:\n${first.output}`);
    }
    const pod = new Pod(name, address, { spec, process: this.#run(own, { name, address, volumes }) });
    this.#pods.add(pod);
    this.#network.name(address, this.#servicesOf(object));
    void pod.ended.then(() => {
      this.#network.forget(address);
      return this.#pods.delete(pod);
    });
    return pod;
  }

  /** Runs a pod to its end, with another command if one is given. @returns what it printed. @throws when it fails */
  async finish(object: KubeObject, command?: readonly string[]): Promise<string> {
    const spec = podOf(object);
    if (spec === undefined) throw new Error(`${object.metadata.name} is no pod`);
    const containers = spec.containers.map((container) => ({
      ...container,
      command: command ?? container.command ?? [],
    }));
    const pod = await this.start({ ...object, spec: { ...spec, containers } }, object.metadata.name);
    const code = await pod.ended;
    if (code !== 0) throw new Error(`${pod.name} ended with ${code}:\n${pod.output}`);
    return pod.output;
  }

  /** The Services that select the pods of an object. */
  #servicesOf({ spec }: KubeObject): readonly string[] {
    const labels = spec?.template?.metadata.labels ?? {};
    return this.#objects
      .filter(({ kind }) => kind === 'Service')
      .filter((service) => Object.entries(service.spec?.selector ?? {}).every(([key, value]) => labels[key] === value))
      .map(({ metadata }) => metadata.name);
  }

  /** Folders of a pod's volumes, by their names; the one named `data` of a StatefulSet outlives the pod. */
  #volumes({ volumes = [] }: PodSpec, pod: string): ReadonlyMap<string, string> {
    const folders = new Map<string, string>();
    for (const { name, secret, configMap } of volumes) {
      this.#started += 1;
      const folder = this.#makeFolder(`${pod}-${name}-${this.#started}`);
      folders.set(name, folder);
      if (secret) {
        const { data = {} } = this.#find('Secret', secret.secretName);
        for (const { key, path } of secret.items)
          this.#writeFile(join(folder, path), Buffer.from(data[key] ?? '', 'base64'), secret.defaultMode ?? 0o644);
      }
      for (const [path, text] of Object.entries(configMap ? (this.#find('ConfigMap', configMap.name).data ?? {}) : {}))
        this.#writeFile(join(folder, path), Buffer.from(text), 0o644);
    }
    if (!folders.has('data')) folders.set('data', this.#makeFolder(`${pod}-data`));
    return folders;
  }

  #find(kind: string, name: string): KubeObject {
    const found = this.#objects.find((object) => object.kind === kind && object.metadata.name === name);
    if (!found) throw new Error(`no ${kind} is named ${name}`);
    return found;
  }

  #makeFolder(name: string): string {
    const folder = join(this.#folder, name);
    if (existsSync(folder)) return folder;
    mkdirSync(folder);
    chownSync(folder, 0, group);
    chmodSync(folder, 0o2775);
    return folder;
  }

  #writeFile(path: string, bytes: Uint8Array, mode: number): void {
    writeFileSync(path, bytes);
    chownSync(path, 0, group);
    chmodSync(path, mode);
  }

  #run(container: Container, place: Place): ChildProcess {
    const mounts = (container.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly }) => [
      place.volumes.get(name) ?? '',
      mountPath,
      readOnly === true ? 'ro' : 'rw',
    ]);
    const variables = (container.env ?? []).map(
      ({ name, value, valueFrom }) => `${name}=${valueFrom ? place.name : value}`,
    );
    // The entry point of our images.
    const command = container.command?.length ? container.command : ['mvm-ci'];
    this.#started += 1;
    const fresh = join(this.#folder, `root-${this.#started}`);
    mkdirSync(fresh);
    const inside = [`--net=/run/netns/${place.address.namespace}`, 'unshare', '--mount', '--pid', '--fork'];
    const parts = [
      'bash',
      script,
      fresh,
      root,
      process.execPath,
      this.#network.hosts,
      ...mounts,
      '--',
      ...variables,
      '--',
    ];
    return spawn('nsenter', [...inside, ...parts, ...command, ...(container.args ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pod of this.#pods) await pod.kill();
    this.#network[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Where a container runs. */
interface Place {
  readonly name: string;
  readonly address: PodAddress;
  readonly volumes: ReadonlyMap<string, string>;
}
