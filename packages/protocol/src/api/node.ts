/** Nodes and tickets as the operator sees them. Prose: `docs/reference/http-api.md`, `docs/guides/join-and-trust.md`. */
import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';

/** What a node may do: run jobs; publish and watch them; everything that an operator may. */
export const nodeRoles = ['worker', 'publisher', 'admin'] as const;
/** One of {@link nodeRoles}. */
export type NodeRole = (typeof nodeRoles)[number];

/** One way that packets between a node and the control plane take at the moment. */
export interface PathView {
  readonly kind: 'direct' | 'relay';
  /** `ip:port`, or the relay's URL. */
  readonly remote: string;
  readonly rtt_ms: number;
  /** Whether it is the one in use. */
  readonly selected: boolean;
}

/** A node's open connection, the latest when there are several. */
export interface NodeConnectionView {
  readonly connected_at_ms: number;
  readonly paths: readonly PathView[];
  /** How often the path in use was seen to be another than before. */
  readonly path_changes: number;
  /** When that was seen last; null: never. */
  readonly path_changed_at_ms: number | null;
}

/** A node as the operator sees it. */
export interface NodeView {
  readonly node: string;
  readonly name: string;
  readonly role: NodeRole;
  readonly tags: readonly string[];
  /** Id of the ticket that it first joined by; null: it joined before tickets were counted. */
  readonly ticket: string | null;
  readonly joined_at_ms: number;
  readonly seen_at_ms: number;
  /** Whether it was heard of within two idle heartbeats, and is not known to be gone. */
  readonly alive: boolean;
  readonly banned_at_ms: number | null;
  readonly ban_reason: string | null;
  /** Whether its process was asked to drain: it takes no more jobs. */
  readonly draining: boolean;
  /** Jobs that it holds now. */
  readonly jobs: number;
  readonly connection: NodeConnectionView | null;
}

const time = z.number().int();
const count = z.number().int().nonnegative();

const pathSchema: z.ZodType<PathView> = z.object({
  kind: z.enum(['direct', 'relay']),
  remote: z.string(),
  rtt_ms: z.number(),
  selected: z.boolean(),
});

/** Checks {@link NodeView}. */
export const nodeViewSchema: z.ZodType<NodeView> = z.object({
  node: z.string(),
  name: z.string(),
  role: z.enum(nodeRoles),
  tags: z.array(z.string()),
  ticket: z.string().nullable(),
  joined_at_ms: time,
  seen_at_ms: time,
  alive: z.boolean(),
  banned_at_ms: time.nullable(),
  ban_reason: z.string().nullable(),
  draining: z.boolean(),
  jobs: count,
  connection: z
    .object({
      connected_at_ms: time,
      paths: z.array(pathSchema),
      path_changes: count,
      path_changed_at_ms: time.nullable(),
    })
    .nullable(),
});

/** Body of `POST /nodes/{node}/ban`. */
export interface BanRequest {
  readonly reason?: string | undefined;
}

/** Checks {@link BanRequest}. */
export const banSchema: z.ZodType<BanRequest> = z.strictObject({
  reason: z.string().max(limits.textCharsMax).optional(),
});

/** Body of `POST /nodes/{node}/drain`. */
export interface DrainRequest {
  /** What the jobs that it holds get before they are given back. @default the worker's own setting */
  readonly grace_ms?: number | undefined;
}

/** Checks {@link DrainRequest}. */
export const drainSchema: z.ZodType<DrainRequest> = z.strictObject({
  grace_ms: z.number().int().min(0).max(limits.drainGraceMsMax).optional(),
});

/** Body of `POST /nodes/{node}/rename`. */
export interface RenameRequest {
  readonly name: string;
}

/** Checks {@link RenameRequest}. */
export const renameSchema: z.ZodType<RenameRequest> = z.strictObject({ name: idSchema });
