/**
 * The script runtime of one thread: makes guests out of scripts.
 *
 * It owns the images of evaluated scripts and the pool of instances at rest. Any instance can hold any script, since an
 * instance is its memory: a new guest gets an idle instance, or a new one, with the script's image restored into it. So no
 * job sees anything of an earlier one (`memory-image.ts` says what is restored). An instance is put back as soon as its guest is
 * gone, while nobody waits for it and its memory is still at hand.
 */
import { bytesEqual } from '@mvm-ci/protocol';
import { engineLimits, type GuestLimits } from '../../limits.ts';
import { meteringVersion } from '../../module/metering.ts';
import type { Metering } from '../fuel/metering.ts';
import type { GuestState } from '../guest-state.ts';
import { applyDifference, differenceOf, memoryHash, type StateHead } from './memory-difference.ts';
import {
  assertLayout,
  capture,
  findLayout,
  imageHash,
  restore,
  type MemoryImage,
  type MemoryLayout,
} from './memory-image.ts';
import { QuickJSInstance } from './quickjs-instance.ts';
import { ScriptGuest } from './script-guest.ts';
import { ScriptMachine, type ScriptHandles, type ScriptLimits } from './script-machine.ts';

/** A script, evaluated: what every guest of it starts from. */
export interface ScriptImage {
  readonly memory: MemoryImage;
  readonly handles: ScriptHandles;
  /** What `mvm_workflows()` returned. */
  readonly workflows: string;
  /** See `GuestState.imageHash`. */
  readonly hash: () => string;
}

/** An instance that waits for its next guest, and the image that it holds. */
interface Idle {
  readonly instance: QuickJSInstance;
  readonly memory: MemoryImage;
}

export interface ScriptRuntimeOptions {
  /** The compiled runtime. */
  readonly module: WebAssembly.Module;
  readonly limits: GuestLimits;
  readonly metering: Metering;
}

export class ScriptRuntime {
  readonly #options: ScriptRuntimeOptions;
  readonly #scriptLimits: ScriptLimits;
  readonly #layout: MemoryLayout;
  readonly #idle: Idle[] = [];
  #isLayoutSeen = false;

  constructor(options: ScriptRuntimeOptions) {
    this.#options = options;
    this.#scriptLimits = {
      stackBytesMax: options.limits.stackBytesMax,
      textBytesMax: 2 * engineLimits.intentsBytesMax,
    };
    this.#layout = findLayout(this.#newInstance());
  }

  /** Instances that wait for their next guest. */
  get idleInstances(): number {
    return this.#idle.length;
  }

  /**
   * Evaluates `script`.
   *
   * @throws {GuestFault} see {@link ScriptMachine.load}
   */
  load(script: string): ScriptImage {
    const instance = this.#newInstance();
    const machine = ScriptMachine.load(instance, script, this.#scriptLimits);
    const workflows = machine.workflows();
    if (!this.#isLayoutSeen) assertLayout(this.#layout, instance);
    this.#isLayoutSeen = true;
    const memory = capture(this.#layout, instance, this.#options.limits.stackBytesMax);
    let hash: string | undefined;
    const { fuelMax } = this.#options.limits;
    const limits = { ...this.#scriptLimits, ...machine.handles, fuelMax, meteringVersion };
    const hashOnce = (): string => (hash ??= imageHash(memory, limits));
    return { memory, handles: machine.handles, workflows, hash: hashOnce };
  }

  /** A guest that starts from `image`. */
  open(image: ScriptImage): ScriptGuest {
    return this.#guest(this.#instanceWith(image), image);
  }

  /** A guest that goes on from `state`; undefined when that isn't one of a guest of `image` that was given `seed`. */
  resume(image: ScriptImage, state: GuestState, seed: Uint8Array): ScriptGuest | undefined {
    if (state.imageHash !== image.hash()) return undefined;
    const instance = this.#instanceWith(image);
    const head = applyDifference(instance, state.bytes, this.#options.limits.memoryBytesMax);
    if (head && bytesEqual(head.seed, seed)) return this.#guest(instance, image, head);
    this.#keep(instance, image);
    return undefined;
  }

  /** The instance that was used last, with this image in it. */
  #instanceWith({ memory }: ScriptImage): QuickJSInstance {
    const idle = this.#idle.pop();
    if (idle?.memory === memory) return idle.instance;
    const instance = idle?.instance ?? this.#newInstance();
    restore(this.#layout, instance, memory);
    return instance;
  }

  #guest(instance: QuickJSInstance, image: ScriptImage, head?: StateHead): ScriptGuest {
    instance.meter.refill(head?.fuel);
    const origin = { layout: this.#layout, image: image.memory };
    const machine = new ScriptMachine(instance, image.handles, this.#scriptLimits);
    const keeper = {
      capture: (now: StateHead) => ({ imageHash: image.hash(), bytes: differenceOf(instance, origin, now) }),
      memoryHash: () => memoryHash(instance, origin),
      release: () => this.#keep(instance, image),
    };
    return new ScriptGuest(machine, keeper, head);
  }

  #newInstance(): QuickJSInstance {
    const { module, limits, metering } = this.#options;
    return new QuickJSInstance({ module, memoryBytesMax: limits.memoryBytesMax, metering });
  }

  #keep(instance: QuickJSInstance, { memory }: ScriptImage): void {
    if (instance.hasGrown || this.#idle.length >= engineLimits.idleInstancesMax) return;
    restore(this.#layout, instance, memory);
    this.#idle.push({ instance, memory });
  }
}
