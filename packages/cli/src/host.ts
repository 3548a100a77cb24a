/** Where text goes, and how it may look there. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The process around the command line, as a value: tests give their own. */
export interface Host {
  readonly args: readonly string[];
  /** The only way to the environment in this package is `main.ts`, which fills this. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** All of the standard input, as text. */
  readStdin(): Promise<string>;
  /** Calls `handler` on each SIGINT or SIGTERM from now on. @returns a function that ends it */
  onInterrupt(handler: () => void): () => void;
}

/** The process as a running command sees it. */
export interface CommandHost extends Host {
  /** Has `end` called when the command is over, however it ends; the last one first. */
  atEnd(end: () => Promise<void>): void;
}
