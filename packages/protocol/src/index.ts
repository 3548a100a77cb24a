export * from './error-code.ts';
export * from './error.ts';
export * from './limits.ts';
