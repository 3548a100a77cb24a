import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StepMachine, type Workflow } from '../src/step-machine.ts';

const machineWith = (workflow: Workflow): StepMachine => {
  const machine = new StepMachine();
  machine.define('flow', workflow);
  return machine;
};

const step = async (machine: StepMachine, events: readonly object[], now = 1_000): Promise<unknown> => {
  machine.step(JSON.stringify({ v: 1, now, events }));
  await new Promise((resolve) => setImmediate(resolve));
  return JSON.parse(machine.flush());
};

const start = { type: 'start', job: 'j', attempt: 1, workflow: 'flow', input: 1, seed: '00'.repeat(32) };

describe('StepMachine', () => {
  it('numbers calls from 1, without a gap, in the order in which they were opened', async () => {
    const machine: StepMachine = machineWith(() => {
      for (const ms of [3, 2, 1]) machine.open({ type: 'sleep', ms }, () => {});
      return new Promise(() => {});
    });
    assert.deepEqual(await step(machine, [start]), [
      { type: 'sleep', ms: 3, call: 1 },
      { type: 'sleep', ms: 2, call: 2 },
      { type: 'sleep', ms: 1, call: 3 },
    ]);
  });

  it('settles a call at most once, and ignores answers to calls that it never made', async () => {
    const heard: number[] = [];
    const machine: StepMachine = machineWith(() => {
      machine.open({ type: 'sleep', ms: 1 }, ({ call }) => heard.push(call));
      return new Promise(() => {});
    });
    await step(machine, [start]);
    const answer = { type: 'answer', call: 1, slept: true };
    await step(machine, [answer, answer, { ...answer, call: 9 }]);
    assert.deepEqual(heard, [1]);
  });

  it('tells values as they were at the call, whatever the author changes in them later in the step', async () => {
    const machine = machineWith(() => {
      const data = { n: 1 };
      machine.open({ type: 'send', job: 'other', messageType: 'm', data }, () => {});
      data.n = 2;
      machine.note({ type: 'respond', value: data });
      data.n = 3;
      return new Promise(() => {});
    });
    assert.deepEqual(await step(machine, [start]), [
      { type: 'send', job: 'other', messageType: 'm', data: { n: 1 }, call: 1 },
      { type: 'respond', value: { n: 2 } },
    ]);
  });

  it('throws at the caller what JSON cannot hold, and gives it no number', async () => {
    const circle: unknown[] = [];
    circle.push(circle);
    const refused: string[] = [];
    const machine = machineWith(() => {
      for (const ask of [
        () => machine.open({ type: 'send', job: 'other', messageType: 'm', data: circle }, () => {}),
        () => machine.note({ type: 'respond', value: 1n }),
      ]) {
        assert.throws(ask, (error: unknown) => refused.push(String(error)) > 0);
      }
      machine.open({ type: 'sleep', ms: 1 }, () => {});
      return new Promise(() => {});
    });
    assert.deepEqual(await step(machine, [start]), [{ type: 'sleep', ms: 1, call: 1 }]);
    assert.match(refused[0] ?? '', /^TypeError: what send is given must be a JSON value: /);
    assert.match(refused[1] ?? '', /^TypeError: what respond is given must be a JSON value: /);
  });

  it('throws the runtime’s own errors as they are: what is out of memory is no question of JSON', async () => {
    const outOfMemory = Object.assign(new Error('out of memory'), { name: 'InternalError' });
    const value = {
      toJSON() {
        throw outOfMemory;
      },
    };
    const machine = machineWith(() => {
      assert.throws(() => machine.note({ type: 'respond', value }), outOfMemory);
      return 'as it is';
    });
    assert.deepEqual(await step(machine, [start]), [{ type: 'complete', result: 'as it is' }]);
  });

  it('does not abandon what has settled', async () => {
    const machine: StepMachine = machineWith(() => {
      machine.open({ type: 'sleep', ms: 1 }, () => {});
      return new Promise(() => {});
    });
    await step(machine, [start]);
    await step(machine, [{ type: 'answer', call: 1, slept: true }]);
    machine.abandon(1);
    assert.equal(machine.flush(), '[]');
  });

  it('puts the end last, also when other intents come after it in the step', async () => {
    const machine: StepMachine = machineWith(async () => {
      void Promise.resolve().then(() => machine.note({ type: 'log', level: 'info', text: 'before the end is told' }));
      return 'done';
    });
    assert.deepEqual(await step(machine, [start]), [
      { type: 'log', level: 'info', text: 'before the end is told' },
      { type: 'complete', result: 'done' },
    ]);
  });

  it('keeps its time between steps and takes the next activation’s', async () => {
    const machine = machineWith(() => new Promise(() => {}));
    await step(machine, [start], 5);
    assert.equal(machine.now, 5);
    await step(machine, [], 9);
    assert.equal(machine.now, 9);
  });

  it('fails an attempt whose workflow the module does not have', async () => {
    const machine = machineWith(() => 1);
    const [fail] = (await step(machine, [{ ...start, workflow: 'other' }])) as { message: string }[];
    assert.equal(fail?.message, 'no workflow "other" in this module: it has ["flow"]');
  });

  it('refuses activations of another version', () => {
    assert.throws(() => machineWith(() => 1).step('{"v":3,"now":0,"events":[]}'), TypeError);
  });
});
