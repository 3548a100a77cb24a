/** Facts of one log line, as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a part of the system logs (I9); a pino logger is one. A workflow's own lines go to its journal. */
export interface Logger {
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
}
