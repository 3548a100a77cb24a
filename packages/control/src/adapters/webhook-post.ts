import { requestHttp, systemClock, type HttpAgents } from '@mvm-ci/net';
import { controlLimits } from '../limits.ts';
import type { Post } from '../queue/webhooks.ts';

/**
 * Sends the requests of webhooks by HTTP or HTTPS, over connections that are kept: one after another to the same receiver, a new one for each would
 * take most of the time. Redirects are not followed: they are no success.
 */
export const webhookPost =
  (agents: HttpAgents): Post =>
  async ({ url, headers, body, signal }) => {
    const parsed = new URL(url);
    const { status } = await requestHttp({
      url: parsed.origin,
      path: `${parsed.pathname}${parsed.search}`,
      method: 'POST',
      headers: { ...headers, ...credentialsOf(parsed) },
      body,
      bodyBytesMax: controlLimits.webhookAnswerBytesMax,
      longer: 'cut',
      deadlineMs: controlLimits.webhookMs,
      agents,
      clock: systemClock,
      signal,
    });
    return status;
  };

/** A name and a password in the URL (RFC 7617). */
const credentialsOf = ({ username, password }: URL): Readonly<Record<string, string>> => {
  if (username === '' && password === '') return {};
  const pair = Buffer.from([username, password].map(decodeURIComponent).join(':')).toString('base64');
  return { authorization: `Basic ${pair}` };
};
