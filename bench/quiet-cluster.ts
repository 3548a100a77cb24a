/** A real cluster for a bench: quiet, on loopback, its data in the bench's folder. */
import { join } from 'node:path';
import { Cluster } from '@mvm-ci/testkit';

const quiet = ['--log-level', 'warn', '--bind', '127.0.0.1:0'];

/** Starts a control plane without workers. */
export const startCluster = (folder: string): Promise<Cluster> =>
  Cluster.start({ data: join(folder, 'control-plane'), controlPlaneArgs: quiet, workerArgs: quiet });
