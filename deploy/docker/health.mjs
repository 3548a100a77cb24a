/**
 * The health check of our images: asks every URL in HEALTH_URLS, and fails with what the first bad one says.
 */
import process from 'node:process';

const timeoutMs = 4_000;

/** What is wrong with the service at `url`; undefined when nothing is. */
const complaint = async (url) => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return response.ok ? undefined : `${url}: ${response.status} ${text.trim()}`;
  } catch (error) {
    return `${url}: ${error.cause?.message ?? error.message}`;
  }
};

const urls = (process.env.HEALTH_URLS ?? '').split(' ').filter(Boolean);
const complaints = (await Promise.all(urls.map(complaint))).filter(Boolean);
for (const text of complaints) process.stdout.write(`${text}\n`);
process.exitCode = urls.length > 0 && complaints.length === 0 ? 0 : 1;
