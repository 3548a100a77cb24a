export * from './engine.ts';
export * from './journal.ts';
