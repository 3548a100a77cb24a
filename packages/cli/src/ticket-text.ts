import { netLimits } from '@mvm-ci/net';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Host } from './host.ts';

/** The ticket that `text` is, or that the file of that name holds, such as `<data>/endpoint.ticket`. */
export const ticketText = (host: Pick<Host, 'cwd'>, text: string): string => {
  if (/^(?:mvm[1-9]|endpoint[a-z2-7]{20}|iroh\+h3:)/i.test(text.trim())) return text;
  const path = resolve(host.cwd, text.trim());
  const stats = statSync(path, { throwIfNoEntry: false });
  // Anything longer is no ticket, and whoever decodes the text says so.
  if (stats?.isFile() !== true || stats.size > 2 * netLimits.ticketCharsMax) return text;
  return readFileSync(path, 'utf8');
};
