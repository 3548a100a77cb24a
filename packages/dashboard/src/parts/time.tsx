/** Times that stay right while they are looked at. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { agoText, exactTime, timeText } from '../format/time.ts';

/** The time now, again every second. */
export const useNow = (): number => {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
};

/** How long ago a time is, or until when; the exact one on pointing at it. */
export const Ago = ({ at, now }: { readonly at: number | null; readonly now: number }): VNode =>
  at === null ? (
    <span class="quiet">–</span>
  ) : (
    <time dateTime={exactTime(at)} title={timeText(at)}>
      {agoText(at, now)}
    </time>
  );
