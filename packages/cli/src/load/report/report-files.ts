/**
 * The files that a report is written to: looked at before anything is measured, since a full run takes twenty minutes and its numbers
 * would be gone with a folder that can't be written.
 */
import { constants } from 'node:fs';
import { access, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ArgumentError } from '../../argument-error.ts';
import type { LoadReport } from './load-report.ts';

/** One of them. */
export interface ReportFile {
  /** The flag that named it, for messages. */
  readonly flag: string;
  /** Absolute. */
  readonly path: string;
  readonly text: (report: LoadReport) => string | Promise<string>;
}

/** Makes their folders. @throws INVALID_ARGUMENT naming the flag when one can't be written there */
export const prepareFiles = async (files: readonly ReportFile[]): Promise<void> => {
  for (const { flag, path } of files)
    await orRefuse(flag, path, async () => {
      await mkdir(dirname(path), { recursive: true });
      await access(dirname(path), constants.W_OK);
      if (await isFolder(path)) throw new Error('it is a folder');
    });
};

/** Writes them, one after another. @throws INVALID_ARGUMENT naming the flag of the first that can't be written */
export const writeFiles = async (
  files: readonly ReportFile[],
  report: LoadReport,
  written: (path: string) => void,
): Promise<void> => {
  for (const { flag, path, text } of files) {
    const content = await text(report);
    await orRefuse(flag, path, () => writeFile(path, content));
    written(path);
  }
};

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
};

const orRefuse = async (flag: string, path: string, act: () => Promise<void>): Promise<void> => {
  try {
    await act();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError('INVALID_ARGUMENT', `${flag}: ${path} can't be written: ${reason}`);
  }
};
