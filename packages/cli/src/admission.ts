import type { ModuleFile } from '@mvm-ci/protocol';

/** Takes a module with the workflows that its build found; its code is judged when it is loaded for a job. */
export const admitModule = (file: ModuleFile): Promise<{ readonly workflows: readonly string[] }> =>
  Promise.resolve({ workflows: file.workflows });
