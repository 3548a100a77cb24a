import { MvmError } from '@mvm-ci/protocol';
import { pino, type Logger } from 'pino';
import colors from 'picocolors';
import { z } from 'zod';
import type { CommandContext } from './command-context.ts';

/** Our own log, on stderr: lines for people on a terminal, JSON lines elsewhere and with `--json`. */
export const openLogger = ({ host, config, terminal }: CommandContext): Logger => {
  const isPretty = host.stderr.isTTY === true && !terminal.isJson;
  const paint = colors.createColors(isPretty && !host.env['NO_COLOR']);
  const write = (line: string): void => void host.stderr.write(isPretty ? prettyLine(line, paint) : line);
  const options = {
    level: config.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: serializeError },
  };
  return pino(options, { write });
};

/** Our own errors say all in code and message; the stack of others tells where to look. */
const serializeError = (error: unknown): unknown => {
  if (error instanceof MvmError && error.code !== 'INTERNAL') return error.toRecord();
  return error instanceof Error ? pino.stdSerializers.err(error) : error;
};

const lineSchema = z.looseObject({ level: z.number(), time: z.string(), msg: z.string() });

const prettyLine = (line: string, paint: ReturnType<typeof colors.createColors>): string => {
  const parsed = lineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) return line;
  const { level, time, msg, ...fields } = parsed.data;
  const label = pino.levels.labels[level] ?? String(level);
  const color = level >= 50 ? paint.red : level >= 40 ? paint.yellow : paint.green;
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  return `${paint.dim(time.slice(11, 23))} ${color(label.padEnd(5))} ${msg} ${paint.dim(facts.join(' '))}\n`;
};

const plain = (value: unknown): string => {
  const error = z.looseObject({ message: z.string() }).safeParse(value);
  if (error.success) return error.data.message;
  return typeof value === 'string' ? value : JSON.stringify(value);
};
