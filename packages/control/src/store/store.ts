/** The store as the rest of the control plane sees it: commands in order, durable when they are answered (I1, I2). */
import type { Command } from '../machine/command.ts';
import type { Effects } from '../machine/effects.ts';
import type { ReplyTo } from '../machine/reply.ts';
import type { AnswerTo, Query } from './query.ts';

/** The command of type `T`. */
export type CommandOf<T extends Command['type']> = Extract<Command, { readonly type: T }>;

/** The query of type `T`. */
export type QueryOf<T extends Query['type']> = Extract<Query, { readonly type: T }>;

/** See the head of this file. */
export interface Store {
  /**
   * Applies a command. Resolves after the commit that holds it is synced.
   *
   * @throws UNAVAILABLE when nothing could be committed, and what the command itself is refused with
   */
  apply<T extends Command['type']>(command: CommandOf<T>): Promise<ReplyTo<T>>;
  /** Reads what is committed. */
  read<T extends Query['type']>(query: QueryOf<T>): Promise<AnswerTo<T>>;
  /** Waits for what was sent, and closes the database. Idempotent. */
  close(): Promise<void>;
}

/** Called with the effects of each committed command, before its reply is handed out. */
export type EffectListener = (effects: Effects) => void;

/** What a group of commands took: a transaction and its sync. */
export interface GroupFacts {
  readonly commands: number;
  readonly refused: number;
  /** From its first command to the end of its sync. */
  readonly ms: number;
  /** The commit alone, with its sync. */
  readonly commitMs: number;
}

/** Called after each group, when its effects and replies have been handed out. */
export type GroupListener = (facts: GroupFacts) => void;
