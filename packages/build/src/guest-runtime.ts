/**
 * The runtime that scripts are built for, and that an engine must have to run them. A test holds it equal to the
 * engine's own and to the version of the runtime that is installed.
 */
export const guestRuntime = 'quickjs-ng/0.32.0';
