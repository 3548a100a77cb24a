import type { Capacity } from './capacity.ts';

/** What `mvm-ci plan` and the check before a load test go by where no report is given: the run of docs/capacity.md. */
export const shippedCapacity: Capacity = {
  source: 'docs/capacity.md',
  processors: 2,
  jobCpuMs: 5,
  options: [
    {
      option: 1,
      controlPlaneMib: 318.8,
      engineMib: 0,
      workerMib: 164.7,
      overheadCpuMs: 8.8,
      controlPlaneCpuMs: 2,
      throughputMaxPerS: 141.6,
      kneeWorkers: 5,
    },
    {
      option: 2,
      controlPlaneMib: 662.2,
      engineMib: 0,
      workerMib: 90.1,
      overheadCpuMs: 5.7,
      controlPlaneCpuMs: 10,
      throughputMaxPerS: 134.9,
      kneeWorkers: 1,
    },
    {
      option: 3,
      controlPlaneMib: 307.5,
      engineMib: 334.6,
      workerMib: 102.1,
      overheadCpuMs: 13.3,
      controlPlaneCpuMs: 3.2,
      throughputMaxPerS: 102.8,
      kneeWorkers: 1,
    },
    {
      option: 4,
      controlPlaneMib: 702.7,
      engineMib: 0,
      workerMib: 100.4,
      overheadCpuMs: 9.1,
      controlPlaneCpuMs: 11.8,
      throughputMaxPerS: 111.1,
      kneeWorkers: 1,
    },
  ],
};
