/** The one step machine of a guest: an instance of the runtime runs one job at a time, from a fresh memory. */
import { StepMachine } from './step-machine.ts';

/** See {@link StepMachine}. */
export const machine: StepMachine = new StepMachine();
