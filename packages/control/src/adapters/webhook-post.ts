import { requestHttp, systemClock } from '@mvm-ci/net';
import { controlLimits } from '../limits.ts';
import type { Post } from '../queue/webhooks.ts';

/** Sends the requests of webhooks by HTTP or HTTPS. Redirects are not followed: they are no success. */
export const webhookPost: Post = async ({ url, headers, body, signal }) => {
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
