import { netLimits } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Host } from './host.ts';

/**
 * The ticket that `text` is, or that the file of that name holds, such as `<data>/endpoint.ticket`.
 *
 * @throws TICKET_INVALID when it looks like the path of a file, and there is none
 */
export const ticketText = (host: Pick<Host, 'cwd'>, text: string): string => {
  if (/^(?:mvm[1-9]|endpoint[a-z2-7]{20}|iroh\+h3:)/i.test(text.trim())) return text;
  const path = resolve(host.cwd, text.trim());
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined && /[./\\]/.test(text))
    throw mvmError('TICKET_INVALID', `neither a ticket nor a file that is there: ${path}`, { path });
  // Anything longer is no ticket, and whoever decodes the text says so.
  if (stats?.isFile() !== true || stats.size > 2 * netLimits.ticketCharsMax) return text;
  return readFileSync(path, 'utf8');
};
