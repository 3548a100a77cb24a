/**
 * Another release of mvm-ci for tests of neighbouring versions: this one's sources, copied, with other versions of the peer
 * protocol, and with fields in all messages that this release has never heard of. Owns its folder.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProtocolRange } from '@mvm-ci/protocol';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ourScope = '@mvm-ci';
const versionFile = 'packages/protocol/src/api/peer-version.ts';
const callFile = 'packages/protocol/src/api/call.ts';

/** Adds a field to each object of a message, deep down. */
const talkative = `
const more = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(more);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([key, one]) => [key, more(one)])), ofAnotherRelease: [1, {}] };
};
`;

/** A copy of this release that speaks other versions. */
export class OtherRelease implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(protocols: ProtocolRange): Promise<OtherRelease> {
    const release = new OtherRelease(await mkdtemp(join(tmpdir(), 'mvm-ci-release-')));
    try {
      await release.#copy();
      await release.#speak(protocols);
      return release;
    } catch (error) {
      await release[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its command line. */
  get program(): string {
    return join(this.#folder, 'packages/cli/bin/mvm-ci.mjs');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #copy(): Promise<void> {
    const isKept = (path: string): boolean => !/[/\\](?:test|node_modules)$/.test(path);
    await cp(join(root, 'packages'), join(this.#folder, 'packages'), { recursive: true, filter: isKept });
    const modules = join(this.#folder, 'node_modules');
    await mkdir(join(modules, ourScope), { recursive: true });
    const others = await readdir(join(root, 'node_modules'));
    const ours = await readdir(join(root, 'node_modules', ourScope));
    await Promise.all([
      ...others
        .filter((name) => name !== ourScope && !name.startsWith('.'))
        .map((name) => symlink(join(root, 'node_modules', name), join(modules, name))),
      ...ours.map((name) => symlink(join(this.#folder, 'packages', name), join(modules, ourScope, name))),
      cp(join(root, 'package.json'), join(this.#folder, 'package.json')),
    ]);
  }

  async #speak({ oldest, newest }: ProtocolRange): Promise<void> {
    await this.#edit(versionFile, [
      [/peerProtocol = \d+;/, `peerProtocol = ${newest};`],
      ['oldest: peerProtocol - 1', `oldest: ${oldest}`],
    ]);
    await this.#edit(callFile, [
      [
        'pack([method, route, parameter, search ?? null, body])',
        'pack([method, route, parameter, search ?? null, more(body)])',
      ],
      ['pack([status, body, follows ?? null', 'pack([status, more(body), follows ?? null'],
      [/$/, talkative],
    ]);
  }

  async #edit(file: string, changes: readonly (readonly [string | RegExp, string])[]): Promise<void> {
    const path = join(this.#folder, file);
    let text = await readFile(path, 'utf8');
    for (const [from, to] of changes) {
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`${file} has no ${from}`);
      text = changed;
    }
    await writeFile(path, text);
  }
}
