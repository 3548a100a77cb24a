/** What a page shows of the control plane, kept fresh. */
import type { JobView } from '@mvm-ci/protocol';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { session } from '../api/session.ts';
import { jobFeed } from './job-feed.ts';
import { Loader } from './loader.ts';

/** How something is kept fresh. */
export interface LiveOptions {
  /** Which jobs' changes it depends on. @default those of any job */
  readonly concerns?: (job: JobView) => boolean;
  /** Asked for again after this time too, whatever happens. @default never */
  readonly everyMs?: number;
}

interface Shown<T> {
  readonly key: string;
  readonly value: T | undefined;
  readonly error: string | undefined;
}

/** What was loaded last; `error` is set while it can't be loaded again. */
export interface Live<T> extends Omit<Shown<T>, 'key'> {
  /** Loads it again now. */
  readonly reload: () => void;
}

/** Loads something, and again when the jobs that it depends on change, or when `key` is another. */
export const useLive = <T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  options: LiveOptions = {},
): Live<T> => {
  const [shown, setShown] = useState<Shown<T>>({ key, value: undefined, error: undefined });
  const latest = useRef({ load, options });
  latest.current = { load, options };
  const loader = useRef<Loader<T> | undefined>(undefined);
  useEffect(() => {
    const made = new Loader<T>(
      (signal) => latest.current.load(signal),
      (loaded) =>
        setShown((before) =>
          'value' in loaded
            ? { key, value: loaded.value, error: undefined }
            : { key, value: before.key === key ? before.value : undefined, error: loaded.error },
        ),
    );
    loader.current = made;
    made.wish();
    return follow(made, latest.current.options, (job) => latest.current.options.concerns?.(job) ?? true);
  }, [key]);
  const reload = useCallback(() => loader.current?.wish(), []);
  return shown.key === key ? { ...shown, reload } : { value: undefined, error: undefined, reload };
};

const follow = (
  loader: Pick<Loader<unknown>, 'wish' | 'end'>,
  { everyMs }: LiveOptions,
  concerns: (job: JobView) => boolean,
): (() => void) => {
  const ends = [
    jobFeed.follow((job) => {
      if (job === undefined || concerns(job)) loader.wish();
    }),
    session.admission.follow(({ state }) => {
      if (state === 'open') loader.wish();
    }),
  ];
  const timer = everyMs === undefined ? undefined : setInterval(() => document.hidden || loader.wish(), everyMs);
  return () => {
    for (const end of ends) end();
    clearInterval(timer);
    loader.end();
  };
};
