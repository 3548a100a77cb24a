import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '@mvm-ci/build';
import type { Client } from '@mvm-ci/client';

const entry = fileURLToPath(import.meta.resolve('./load-workflow.ts'));

/** Builds the workflow of load tests and deploys it. @returns its name, as jobs name it */
export const deployLoadWorkflow = async (client: Client, signal: AbortSignal): Promise<string> => {
  const { bytes, name } = await buildWorkflow({ entry, signal });
  await client.deploy({ name, version: '1.0.0', file: bytes }, { signal });
  return name;
};
