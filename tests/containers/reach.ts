import { attempt } from './command.ts';

const timeoutMs = 3_000;

/** The status that `url` answers with when it is asked from within a container; undefined when nothing answers. */
export const statusFrom = async (container: string, url: string): Promise<number | undefined> => {
  const ask = `fetch('${url}', { signal: AbortSignal.timeout(${timeoutMs}) }).then((r) => console.log(r.status))`;
  const { code, stdout } = await attempt('docker', ['exec', container, 'node', '-e', ask]);
  return code === 0 ? Number(stdout) : undefined;
};

/** Whether anything answers at `url` when it is asked from within a container. */
export const reaches = async (container: string, url: string): Promise<boolean> =>
  (await statusFrom(container, url)) !== undefined;
