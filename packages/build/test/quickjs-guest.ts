/**
 * A guest in the real runtime, driven by hand: activations in, intents out. No journal, no engine, no other process.
 */
import { newQuickJSWASMModuleFromVariant, type QuickJSContext } from 'quickjs-emscripten-core';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWorkflow } from '../src/index.ts';

/** An intent, as it came. */
export type LooseIntent = { readonly type: string; readonly call: number } & Readonly<Record<string, unknown>>;

/** An event, as the host writes it. */
export type LooseEvent = Readonly<Record<string, unknown>>;

const seed = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0';
const startsAt = 1_760_000_000_000;

/** One guest. */
export class QuickJsGuest implements Disposable {
  readonly #context: QuickJSContext;
  #now = startsAt;

  private constructor(context: QuickJSContext) {
    this.#context = context;
  }

  /** Evaluates a bundle in a new context. */
  static async load(code: string): Promise<QuickJsGuest> {
    const quickjs = await newQuickJSWASMModuleFromVariant(import('@jitl/quickjs-ng-wasmfile-release-sync'));
    const context = quickjs.newContext();
    context.unwrapResult(context.evalCode(code, 'module.js')).dispose();
    return new QuickJsGuest(context);
  }

  /** The first activation. */
  start(
    workflow: string,
    input: unknown,
    facts: { readonly seed?: string; readonly attempt?: number } = {},
  ): LooseIntent[] {
    return this.step([{ type: 'start', job: 'j1', attempt: 1, workflow, input, seed, ...facts }], 0);
  }

  /** The next activation, `afterMs` later. */
  step(events: readonly LooseEvent[], afterMs = 100): LooseIntent[] {
    this.#now += afterMs;
    this.#call('mvm_step', JSON.stringify({ v: 1, now: this.#now, events }));
    this.#context.unwrapResult(this.#context.runtime.executePendingJobs());
    const intents: LooseIntent[] = JSON.parse(this.#call('mvm_flush'));
    return intents;
  }

  [Symbol.dispose](): void {
    this.#context.dispose();
  }

  #call(name: string, ...texts: readonly string[]): string {
    const context = this.#context;
    using made = context.getProp(context.global, name);
    const handles = texts.map((text) => context.newString(text));
    using result = context.unwrapResult(context.callFunction(made, context.undefined, ...handles));
    for (const handle of handles) handle.dispose();
    return context.getString(result);
  }
}

/** Bundles a workflow's source text with the SDK. */
export const bundleText = async (source: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-guest-'));
  try {
    await writeFile(join(folder, 'flow.ts'), source);
    const { file } = await buildWorkflow({ entry: join(folder, 'flow.ts') });
    return new TextDecoder().decode(file.code);
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** Runs a workflow that asks for nothing, and returns what it returned. */
export const resultOf = async (body: string, input: unknown = null): Promise<unknown> => {
  using guest = await QuickJsGuest.load(await bundleText(`export const flow = async (input: any) => { ${body} };`));
  const intents = guest.start('flow', input);
  const last = intents.at(-1);
  if (last?.type !== 'complete') throw new Error(`not complete: ${JSON.stringify(intents)}`);
  return last['result'];
};
