/** Facts of one log line, as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the engine's own log goes (a workflow's lines go to its journal); a pino logger is one. */
export interface Logger {
  debug(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
}

/** A logger that keeps nothing. */
export const silentLogger: Logger = { debug: () => undefined, warn: () => undefined };
