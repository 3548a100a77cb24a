/** The names of exports that the engine adds to modules. No module brings such names along. */

/** What begins them all. */
const ownPrefix = 'mvm:';

/** Whether only the engine may give this name to an export. */
export const isOwnName = (name: string): boolean => name.startsWith(ownPrefix);

/** Exported by modules whose instances can be reset; it is their memory. */
export const resettableExport: string = `${ownPrefix}resettable`;
/** What begins the name of each mutable global's export. */
export const globalExportPrefix: string = `${ownPrefix}global:`;
/** The counter of a metered module: a mutable i32 global. */
export const fuelExport: string = `${ownPrefix}fuel`;
/** The table with the function that a metered module calls when its counter is below 0. */
export const tickExport: string = `${ownPrefix}tick`;
/** The table of the functions that the script runtime calls by their numbers: the host's tracker of rejections is one more. */
export const functionsExport: string = `${ownPrefix}functions`;
/** What was the start function of a metered module. */
export const startExport: string = `${ownPrefix}start`;
