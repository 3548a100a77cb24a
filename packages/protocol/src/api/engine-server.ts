/** What an engine server answers to, and what it says of itself. Prose: `docs/reference/engine-server.md`. */
import { z } from 'zod';

/** Paths of an engine server. */
export const engineRoutes = {
  version: '/version',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  link: '/engine/link',
} as const;

/** The answer header by which an engine server says that it speaks the engine link, and which version of it. */
export const linkHeader = 'mvm-ci-link';

/** The answer header in which an engine server lists the link's features that it has, separated by commas. */
export const linkFeaturesHeader = 'mvm-ci-link-features';

/** The version of the engine link that this build speaks. */
export const linkVersion = 2;

/**
 * What both sides send first on a link over HTTP/1.1. The client sends it at once; the server sends it back when it has
 * come: so each knows that bodies pass both ways while both are open, and that nothing in between holds them back.
 */
export const linkGreeting = 'mvm-ci engine link 1\n';

/** Whether an engine server takes runs, and how many it has. */
export interface EngineStatus {
  readonly ready: boolean;
  /** Why it isn't ready; empty when it is. A full server is ready: it refuses single runs. */
  readonly reasons: readonly string[];
  readonly runs: number;
  readonly runsMax: number;
  /** The release, such as `0.1.0`. */
  readonly version: string;
  /** See {@link linkVersion}. */
  readonly link: number;
}

/** Checks {@link EngineStatus}. */
export const engineStatusSchema: z.ZodType<EngineStatus> = z.object({
  ready: z.boolean(),
  reasons: z.array(z.string()),
  runs: z.number().int().nonnegative(),
  runsMax: z.number().int().nonnegative(),
  version: z.string(),
  link: z.number().int().positive(),
});
