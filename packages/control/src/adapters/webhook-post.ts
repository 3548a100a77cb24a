import { requestHttp, systemClock } from '@mvm-ci/net';
import { controlLimits } from '../limits.ts';
import type { Post } from '../queue/webhooks.ts';

/** Sends the requests of webhooks by HTTP or HTTPS. Redirects are not followed: they are no success. */
export const webhookPost: Post = async ({ url, headers, body, signal }) => {
  const { origin, pathname, search } = new URL(url);
  const { status } = await requestHttp({
    url: origin,
    path: `${pathname}${search}`,
    method: 'POST',
    headers,
    body,
    bodyBytesMax: controlLimits.webhookAnswerBytesMax,
    deadlineMs: controlLimits.webhookMs,
    clock: systemClock,
    signal,
  });
  return status;
};
