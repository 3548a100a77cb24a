/** Lists of commands and replies as messages between the main side and a guest thread. */
import { messageForm } from '../message-form.ts';
import type { GuestStep } from '../run/activation.ts';
import type { Command, Reply } from './thread-message.ts';

/** Packed commands, or one command that carries what only structured cloning can: a compiled module. */
export type CommandMessage = Uint8Array<ArrayBuffer> | (Command & { readonly type: 'load' });

const commandsForm = messageForm<readonly Command[]>();
const stepsForm = messageForm<readonly GuestStep[]>();
const repliesForm = messageForm<readonly Reply[]>();

/** The commands as messages, in their order. */
export const packCommands = (commands: readonly Command[]): readonly CommandMessage[] => {
  const messages: CommandMessage[] = [];
  let gathered: Command[] = [];
  const pack = (): void => {
    if (gathered.length > 0) messages.push(commandsForm.pack(gathered));
    gathered = [];
  };
  for (const command of commands) {
    if (command.type !== 'load') {
      gathered.push(command);
      continue;
    }
    pack();
    messages.push(command);
  }
  pack();
  return messages;
};

/** The commands of one message. */
export const unpackCommands = (message: CommandMessage): readonly Command[] =>
  message instanceof Uint8Array ? commandsForm.unpack(message) : [message];

/** Steps, packed before the command that carries them. */
export const packSteps = (steps: readonly GuestStep[]): Uint8Array<ArrayBuffer> => stepsForm.pack(steps);

/** The steps that were packed so. */
export const unpackSteps = (bytes: Uint8Array): readonly GuestStep[] => stepsForm.unpack(bytes);

/** The replies as one message. */
export const packReplies = (replies: readonly Reply[]): Uint8Array<ArrayBuffer> => repliesForm.pack(replies);

/** The replies of one message. */
export const unpackReplies = (message: Uint8Array): readonly Reply[] => repliesForm.unpack(message);
