import { z } from 'zod';
import { moduleKinds, type ModuleKind } from '../module-file.ts';

/** A deployed module. */
export interface DeployedModule {
  readonly name: string;
  readonly version: string;
  /** BLAKE3 of the module file, hex. */
  readonly hash: string;
  readonly kind: ModuleKind;
  readonly runtime: string;
  readonly workflows: readonly string[];
  readonly bytes: number;
  readonly deployed_at_ms: number;
}

/** Checks {@link DeployedModule}. */
export const deployedModuleSchema: z.ZodType<DeployedModule> = z.object({
  name: z.string(),
  version: z.string(),
  hash: z.string(),
  kind: z.enum(moduleKinds),
  runtime: z.string(),
  workflows: z.array(z.string()),
  bytes: z.number(),
  deployed_at_ms: z.number(),
});
