/** Limits of the engine server alone (I8). `docs/reference/engine-server.md` lists them. */
export const flawlessLimits = {
  /** Links that are open at the same time; further ones are refused with UNAVAILABLE. */
  linksMax: 256,
  /** Default time that a stop gives to the runs that are under way. */
  graceMs: 10_000,
  /** How long a stop waits for links to end, once no run is left. */
  linkEndMs: 1_000,
  /** How long a stop waits for small requests under way. */
  drainMs: 2_000,
  /** What `Retry-After` says. */
  retryAfterSeconds: 1,
} as const;
