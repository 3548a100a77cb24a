/**
 * How large a cluster must be: the decision matrix of the four options, checked against what was measured, with the arithmetic of each step.
 * A pure function of the question and the measured numbers.
 */
import { clusterMib, measuredOption, type Capacity, type OptionCapacity } from './capacity.ts';

/** What the cluster shall do. */
export interface PlanQuestion {
  readonly workers: number;
  /** Jobs a second. */
  readonly ratePerS: number;
  /** Processor time of a job, in ms. */
  readonly jobCpuMs: number;
  /** From a job's start to its end, in ms: what it sleeps and waits for is in it. */
  readonly jobMs: number;
  /** What a job holds while it runs, in MiB. */
  readonly jobMemoryMib: number;
  /** To try the architecture, not for production. */
  readonly testing: boolean;
  /** There is an orchestrator, such as Kubernetes, that runs a pool of engines. */
  readonly orchestrator: boolean;
  /** Processors of each worker's machine, and of each engine server's. */
  readonly processors: number;
}

/** One step of the arithmetic. */
interface PlanStep {
  readonly what: string;
  /** With the numbers in it. */
  readonly formula: string;
  readonly value: number;
  readonly unit: string;
}

/** The answer. */
export interface ClusterPlan {
  readonly option: OptionCapacity['option'];
  readonly workers: number;
  /** Engine servers beside the workers. */
  readonly engines: number;
  readonly memoryMib: number;
  readonly processors: number;
  /** Whether the workers that were asked for suffice. */
  readonly fits: boolean;
  readonly why: readonly string[];
  readonly arithmetic: readonly PlanStep[];
  /** Where the measured numbers are from. */
  readonly source: string;
}

type Option = OptionCapacity['option'];

/** Processors that are busier than this make jobs wait for long: half of them for more than twice their own time. */
const usableShare = 0.7;
/** Fewer than that are no redundancy. */
const poolMin = 2;
const smallTestMax = 4;
const smallProductionMax = 19;
const orchestratedMin = 101;

/** Plans a cluster. @throws {RangeError} when the measured numbers lack an option that is needed */
export const planCluster = (question: PlanQuestion, capacity: Capacity): ClusterPlan => {
  const chosen = chooseOption(question, capacity);
  const measured = numbersOf(capacity, chosen.option);
  const work = processorSteps(question, measured);
  const { engines, workersMin, steps } = countSteps(question, { measured, processors: work.processors });
  const memory = memorySteps(question, { capacity, measured, engines });
  const fits = question.workers >= workersMin;
  return {
    option: chosen.option,
    workers: question.workers,
    engines,
    memoryMib: memory.mib,
    processors: work.processors,
    fits,
    why: [...chosen.why, ...(fits ? [] : [`${question.workers} workers are too few: it takes ${workersMin}`])],
    arithmetic: [...chosen.steps, ...work.steps, ...steps, ...memory.steps],
    source: capacity.source,
  };
};

const numbersOf = (capacity: Capacity, option: Option): OptionCapacity => {
  const found = measuredOption(capacity, option);
  if (found !== undefined) return found;
  throw new RangeError(
    `option ${option} is the one to take, and was not measured in ${capacity.source}: measure it too`,
  );
};

interface Choice {
  readonly option: Option;
  readonly why: readonly string[];
  readonly steps: readonly PlanStep[];
}

/** The matrix, then whether one shared engine is enough where the matrix says so. */
const chooseOption = (question: PlanQuestion, capacity: Capacity): Choice => {
  const { option, why } = byMatrix(question);
  if (option === 1 || option === 3) return { option, why: [why], steps: [] };
  const step = sharedEngineStep(question, numbersOf(capacity, option), capacity.jobCpuMs);
  if (question.ratePerS <= step.value) return { option, why: [why], steps: [step] };
  const instead = question.orchestrator ? 3 : 1;
  const full = `one shared engine does ${round(step.value)} such jobs a second, fewer than ${question.ratePerS}: option ${instead} instead of ${option}`;
  return { option: instead, why: [why, full], steps: [step] };
};

const byMatrix = ({
  testing,
  orchestrator,
  workers,
}: PlanQuestion): { readonly option: Option; readonly why: string } => {
  if (testing)
    return workers <= smallTestMax
      ? {
          option: 2,
          why: `a test with at most ${smallTestMax} workers: the control plane's own engine is the least to run`,
        }
      : { option: 4, why: `a test with more than ${smallTestMax} workers: one engine server beside the control plane` };
  if (orchestrator) return { option: 3, why: 'an orchestrator is there to run a pool of engines, scaled by itself' };
  if (workers <= smallProductionMax)
    return {
      option: 4,
      why: `production with at most ${smallProductionMax} workers: one engine server beside the control plane, monitored; plan for option 1`,
    };
  if (workers < orchestratedMin)
    return { option: 1, why: 'production with 20 to 100 workers: an engine in each, so that nothing is shared' };
  return {
    option: 1,
    why: 'production with more than 100 workers: an engine in each, and something that starts and replaces workers',
  };
};

/** What the measured cluster would do with these jobs: its best rate, by the processor time of a job there and here. */
const sharedEngineStep = (question: PlanQuestion, measured: OptionCapacity, measuredJobMs: number): PlanStep => {
  const [there, here] = [measuredJobMs, question.jobCpuMs].map((ms) => ms + measured.overheadCpuMs);
  const best = measured.throughputMaxPerS;
  return {
    what: `jobs a second of one shared engine (option ${measured.option}), at ${usableShare * 100} % of its best`,
    formula: `${usableShare} × ${round(best)}/s × ${round(there ?? 0)} ms ÷ ${round(here ?? 0)} ms`,
    value: (usableShare * best * (there ?? 0)) / (here ?? 1),
    unit: 'jobs/s',
  };
};

interface ProcessorSteps {
  readonly processors: number;
  readonly steps: readonly PlanStep[];
}

const processorSteps = ({ ratePerS, jobCpuMs }: PlanQuestion, { overheadCpuMs }: OptionCapacity): ProcessorSteps => {
  const job = jobCpuMs + overheadCpuMs;
  const busy = (ratePerS * job) / 1_000;
  const processors = Math.max(1, Math.ceil(busy / usableShare));
  return {
    processors,
    steps: [
      {
        what: 'processor time of a job, with the cluster’s share',
        formula: `${jobCpuMs} ms + ${round(overheadCpuMs)} ms`,
        value: job,
        unit: 'ms',
      },
      { what: 'busy processors', formula: `${ratePerS}/s × ${round(job)} ms ÷ 1000`, value: busy, unit: '' },
      {
        what: `processors, busy for at most ${usableShare * 100} % of the time`,
        formula: `⌈${round(busy)} ÷ ${usableShare}⌉`,
        value: processors,
        unit: '',
      },
    ],
  };
};

interface CountSteps {
  readonly engines: number;
  /** Workers that it takes. */
  readonly workersMin: number;
  readonly steps: readonly PlanStep[];
}

const countSteps = (
  { processors: each }: PlanQuestion,
  { measured, processors }: { readonly measured: OptionCapacity; readonly processors: number },
): CountSteps => {
  const machines = Math.ceil(processors / each);
  const formula = `⌈${processors} ÷ ${each} processors each⌉`;
  switch (measured.option) {
    case 1:
      return {
        engines: 0,
        workersMin: machines,
        steps: [{ what: 'workers, each with an engine, at least', formula, value: machines, unit: '' }],
      };
    case 3: {
      const engines = Math.max(poolMin, machines);
      const what = `engine servers, at least ${poolMin} for when one is lost`;
      return { engines, workersMin: 1, steps: [{ what, formula, value: engines, unit: '' }] };
    }
    case 2:
    case 4:
      return { engines: 0, workersMin: 1, steps: [] };
  }
};

interface MemorySteps {
  readonly mib: number;
  readonly steps: readonly PlanStep[];
}

const memorySteps = (
  { workers, ratePerS, jobMs, jobMemoryMib }: PlanQuestion,
  {
    capacity,
    measured,
    engines,
  }: { readonly capacity: Capacity; readonly measured: OptionCapacity; readonly engines: number },
): MemorySteps => {
  const { option, controlPlaneMib, workerMib, engineMib } = measured;
  const processesMib = clusterMib(capacity, { option, workers, engines });
  const running = Math.max(1, Math.ceil((ratePerS * jobMs) / 1_000 / usableShare));
  const pool = engines === 0 ? '' : ` + ${engines} × ${round(engineMib)}`;
  const mib = processesMib + running * jobMemoryMib;
  return {
    mib,
    steps: [
      {
        what: 'memory of the processes: control plane, workers, engine servers',
        formula: `${round(controlPlaneMib)} + ${workers} × ${round(workerMib)}${pool}`,
        value: processesMib,
        unit: 'MiB',
      },
      {
        what: "jobs that run at once (Little's law), with the same reserve",
        formula: `⌈${ratePerS}/s × ${jobMs} ms ÷ 1000 ÷ ${usableShare}⌉`,
        value: running,
        unit: '',
      },
      {
        what: 'memory of all',
        formula: `${round(processesMib)} + ${running} × ${jobMemoryMib}`,
        value: mib,
        unit: 'MiB',
      },
    ],
  };
};

/** For people: one decimal, and none where it says nothing. */
const round = (value: number): string => String(Math.round(value * 10) / 10);
