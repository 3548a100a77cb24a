/** The entry points that both modules have. */
export const workflows = { nothing: 'nothing', threeEffects: 'three_effects', sequence: 'sequence' } as const;
/** One that only the script module has. */
export const busyWorkflow = 'busy';
/** One that only the `core` module has. */
export const windowWorkflow = 'window';
