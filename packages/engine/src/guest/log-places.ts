/**
 * Places in what a script logs: an error that is logged has its stack with it, which speaks of the bundle. The journal has the author's own files and lines
 * in their place. A replay logs the bundle's places again, so it is compared without them; journals that have those stay valid.
 */
import type { Intent } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { scriptName } from './quickjs/script-machine.ts';

const bundled = `${scriptName}:`;
const bundledPlace = new RegExp(`${scriptName.replace('.', '\\.')}:\\d+(?::\\d+)?`);
const anyPlace = /^.+:\d+(?::\d+)?$/;

/** The intents with the places of their logs mapped. @param mapStack - knows the author's place for each of the bundle's */
export const withAuthorPlaces = (intents: readonly Intent[], mapStack: (stack: string) => string): readonly Intent[] =>
  intents.some(hasPlaces) ? intents.map((intent) => mapped(intent, mapStack)) : intents;

/** Whether both are lines of the log that differ in places alone. */
export const differInPlacesOnly = (recorded: Intent, asked: Intent): boolean => {
  if (recorded.type !== 'log' || asked.type !== 'log' || recorded.level !== asked.level) return false;
  if (!hasPlaces(asked)) return false;
  const [before, now] = [recorded.text.split('\n'), asked.text.split('\n')];
  return before.length === now.length && now.every((line, index) => isSameLine(before[index] ?? '', line));
};

const hasPlaces = (intent: Intent): boolean => intent.type === 'log' && intent.text.includes(bundled);

const mapped = (intent: Intent, mapStack: (stack: string) => string): Intent => {
  if (intent.type !== 'log') return intent;
  const lines = intent.text.split('\n').map((line) => {
    const frame = frameOf(line);
    return frame ? `${frame.before}${mapStack(frame.place)}${frame.after}` : line;
  });
  const text = lines.join('\n');
  return text.length > engineLimits.logCharsMax ? intent : { ...intent, text };
};

const isSameLine = (recorded: string, asked: string): boolean => {
  if (recorded === asked) return true;
  const frame = frameOf(asked);
  if (!frame || !recorded.startsWith(frame.before) || !recorded.endsWith(frame.after)) return false;
  return anyPlace.test(recorded.slice(frame.before.length, recorded.length - frame.after.length));
};

interface Frame {
  readonly before: string;
  readonly place: string;
  readonly after: string;
}

/** The parts of a line with one place in it: a frame of a stack. */
const frameOf = (line: string): Frame | undefined => {
  const [place] = bundledPlace.exec(line) ?? [];
  if (place === undefined) return undefined;
  const at = line.indexOf(place);
  const [before, after] = [line.slice(0, at), line.slice(at + place.length)];
  return after.includes(bundled) ? undefined : { before, place, after };
};
