export { runCli } from './cli.ts';
export type { Host, OutputStream } from './host.ts';
