/** Facts of one log line, as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a worker's own log goes; a pino logger is one. */
export interface Logger {
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
}
