import { z } from 'zod';
import type { ErrorRecord } from '../error.ts';
import { isErrorCode, type ErrorCode } from '../error-code.ts';

/** An error as it crosses a boundary. */
export const errorRecordSchema: z.ZodType<ErrorRecord> = z.object({
  code: z.custom<ErrorCode>((code) => typeof code === 'string' && isErrorCode(code), 'not an error code'),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
