import { mvmError } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { DeployCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';

/**
 * `deploy`: stores an admitted module under `name@version`. Idempotent by hash.
 *
 * @throws MODULE_EXISTS when another module has that name and version
 */
export const deploy = (app: Application, command: DeployCommand): ReplyTo<'deploy'> => {
  const { name, version, hash } = command;
  const existing = app.tables.modules.find(name, version);
  if (existing !== undefined && existing.hash !== hash) {
    throw mvmError(
      'MODULE_EXISTS',
      `"${name}@${version}" is deployed with another content: give the new one a new version`,
      {
        name,
        version,
        deployed: existing.hash,
        received: hash,
      },
    );
  }
  if (existing === undefined) app.tables.modules.insert(command);
  const module = app.tables.modules.find(name, version);
  if (module === undefined) throw mvmError('INTERNAL', `"${name}@${version}" was stored and is not there`);
  return { type: 'deploy', module, created: existing === undefined };
};
