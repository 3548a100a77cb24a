/**
 * A network for pods, in network namespaces of its own: each pod has one with an address, on a bridge without a way out, and
 * all read the same file of names. Owns the namespaces.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** A pod's place in it. */
export interface PodAddress {
  readonly namespace: string;
  readonly ip: string;
}

const prefix = '10.77.0';

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
};

/** A bridge, and the pods on it. */
export class PodNetwork implements Disposable {
  readonly hosts: string;
  readonly #bridge: string = `mvm-k${process.pid}`;
  readonly #namespaces: string[] = [];
  readonly #names = new Map<string, Set<string>>();
  #pods = 0;

  /** @param hosts the file of names */
  constructor(hosts: string) {
    this.hosts = hosts;
    ip('netns', 'add', this.#bridge);
    this.#namespaces.push(this.#bridge);
    ip('-n', this.#bridge, 'link', 'add', 'pods', 'type', 'bridge');
    ip('-n', this.#bridge, 'link', 'set', 'pods', 'up');
    this.#write();
  }

  /** Gives a pod an address that no other had. */
  add(): PodAddress {
    this.#pods += 1;
    const namespace = `${this.#bridge}-${this.#pods}`;
    const address = `${prefix}.${this.#pods + 1}`;
    const end = `pod${this.#pods}`;
    ip('netns', 'add', namespace);
    this.#namespaces.push(namespace);
    ip('-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', end, 'netns', this.#bridge);
    ip('-n', this.#bridge, 'link', 'set', end, 'master', 'pods', 'up');
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    for (const link of ['eth0', 'lo']) ip('-n', namespace, 'link', 'set', link, 'up');
    return { namespace, ip: address };
  }

  /** Lets names mean the pod, beside what they mean already. */
  name({ ip: address }: PodAddress, names: readonly string[]): void {
    for (const name of names) this.#names.set(name, (this.#names.get(name) ?? new Set()).add(address));
    this.#write();
  }

  /** Lets no name mean the pod. */
  forget({ ip: address }: PodAddress): void {
    for (const addresses of this.#names.values()) addresses.delete(address);
    this.#write();
  }

  #write(): void {
    const lines = [...this.#names].flatMap(([name, addresses]) =>
      [...addresses].map((address) => `${address} ${name}`),
    );
    writeFileSync(this.hosts, `${['127.0.0.1 localhost', ...lines].join('\n')}\n`, { mode: 0o644 });
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#namespaces) ip('netns', 'delete', namespace);
  }
}
