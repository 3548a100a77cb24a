/**
 * The pods of the Helm chart, run as they are rendered (commands, variables, mounts, user, roots that nobody can write to) by a
 * small stand-in for a machine of Kubernetes: they find each other, get their tickets, run jobs, and end by SIGTERM.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findChartTools, type ChartTools } from '../deploy/chart-tools.ts';
import { objectOf, render, type Engine, type KubeObject } from '../deploy/chart.ts';
import { obstacle, PodMachine, type Pod } from '../deploy/pod-machine.ts';

const found = await findChartTools();
const skip = obstacle() ?? (typeof found === 'string' && found);
const tools = found as ChartTools;
const deadlineMs = 540_000;

/** A release that runs: its control plane and workers. */
class Release implements AsyncDisposable {
  readonly #machine: PodMachine;
  readonly #objects: readonly KubeObject[];

  private constructor(objects: readonly KubeObject[]) {
    this.#objects = objects;
    this.#machine = new PodMachine(objects);
  }

  static async open(engine: Engine): Promise<Release> {
    return new Release(await render(tools, { engine, 'workers.graceSeconds': 5, 'controlPlane.leaseMs': 8_000 }));
  }

  controlPlane(): Promise<Pod> {
    return this.#machine.start(objectOf(this.#objects, 'StatefulSet', 'control-plane'), 'control-plane-0');
  }

  worker(name: string): Promise<Pod> {
    return this.#machine.start(objectOf(this.#objects, 'Deployment', 'worker'), name);
  }

  /** What helm test runs, or another command in its pod. */
  test(command?: readonly string[]): Promise<string> {
    return this.#machine.finish(objectOf(this.#objects, 'Pod', 'test'), command);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#machine[Symbol.asyncDispose]();
  }
}

describe('the pods of the Helm chart', { skip, timeout: deadlineMs }, () => {
  it('join by tickets of their own, run a job, and end by SIGTERM', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using release = await Release.open('embedded');
    const plane = await release.controlPlane();
    await plane.ready(signal);
    const worker = await release.worker('worker-a');
    await worker.ready(signal);
    assert.match(await release.test(), /hello, mvm-ci/);

    const tickets: readonly { readonly name: string; readonly uses: number; readonly uses_max: number }[] = JSON.parse(
      await release.test(['mvm-ci', 'ticket', 'list', '--json']),
    );
    const own = tickets.find(({ name }) => name === 'worker-a');
    assert.deepEqual([own?.uses, own?.uses_max], [1, 1]);

    assert.equal(await worker.terminate(), 0, worker.output);
    assert.equal(await plane.terminate(), 0, plane.output);
  });
});
