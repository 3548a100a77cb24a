export * from './cluster/cluster.ts';
export * from './cluster/effect-audit.ts';
export * from './cluster/ready-process.ts';
export * from './journal-conformance.ts';
export * from './site/site.ts';
