/**
 * The configuration, built once: defaults, then the file `mvm-ci.json`, then the environment, then flags. Whoever comes
 * later wins. The result is checked and frozen; an error names the place that the wrong value came from.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { mvmError } from '@mvm-ci/protocol';
import { z } from 'zod';
import { defaults, environment, fileEnvironment, schemas, type Config, type ConfigKey } from './setting.ts';

/** Where settings come from. */
export interface ConfigSources {
  /** Values of flags, by their camel-case names. Others than settings are ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the optional `mvm-ci.json`. */
  readonly cwd: string;
}

interface Given {
  readonly value: unknown;
  readonly from: string;
}

const fileName = 'mvm-ci.json';

/** Reads and checks all settings. @throws CONFIG_INVALID naming the setting, where it was set, its rule and its value */
export const readConfig = (sources: ConfigSources): Config => {
  const file = readFile(sources.cwd);
  const config: Partial<Record<ConfigKey, unknown>> = {};
  for (const key of configKeys) {
    const given = lastGiven(key, file, sources);
    config[key] = given ? checked(key, given) : undefined;
  }
  return Object.freeze(isConfig(config) ? config : unreachable());
};

const isConfigKey = (key: string): key is ConfigKey => Object.hasOwn(schemas, key);
const configKeys: readonly ConfigKey[] = Object.keys(schemas).filter(isConfigKey);

// Every value has passed its schema, or is undefined where there is no default.
const isConfig = (config: Partial<Record<ConfigKey, unknown>>): config is Record<ConfigKey, unknown> & Config =>
  Object.keys(defaults).every((key) => isConfigKey(key) && config[key] !== undefined);

const unreachable = (): never => {
  throw mvmError('INTERNAL', 'a setting with a default has no value');
};

const lastGiven = (
  key: ConfigKey,
  file: Readonly<Record<string, unknown>>,
  sources: ConfigSources,
): Given | undefined => {
  const variable = environment[key];
  // An empty variable is an unset one, as in shell scripts and Compose files.
  const fromEnvironment = (variable && sources.env[variable]) || undefined;
  const places: readonly Given[] = [
    { value: sources.flags[key], from: flagOf(key) },
    { value: fromEnvironment, from: variable ?? '' },
    ...(fromEnvironment === undefined ? fromNamedFile(fileEnvironment[key], sources) : []),
    { value: file[key], from: `"${key}" in ${fileName}` },
    { value: defaults[key], from: 'the default' },
  ];
  return places.find(({ value }) => value !== undefined);
};

/** The one line in the file that `variable` names, such as a secret of a container. */
const fromNamedFile = (variable: string | undefined, { env, cwd }: ConfigSources): readonly Given[] => {
  const name = variable === undefined ? undefined : env[variable];
  if (variable === undefined || !name) return [];
  const path = resolve(cwd, name);
  try {
    return [{ value: readFileSync(path, 'utf8').trim(), from: `${variable} (${path})` }];
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `${variable} names ${path}, which can't be read: ${String(error)}`, { path });
  }
};

const flagOf = (key: ConfigKey): string => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const checked = (key: ConfigKey, { value, from }: Given): unknown => {
  const parsed = schemas[key].safeParse(value);
  if (parsed.success) return parsed.data;
  const rule = [...new Set(parsed.error.issues.map((issue) => issue.message))].join('; ');
  throw mvmError('CONFIG_INVALID', `${from} is ${JSON.stringify(value)}, which is not allowed; it must be ${rule}`, {
    setting: key,
    from,
    rule,
    received: value,
  });
};

const readFile = (cwd: string): Readonly<Record<string, unknown>> => {
  const path = join(cwd, fileName);
  const parsed = z.record(z.string(), z.unknown()).safeParse(jsonIn(path));
  if (!parsed.success) throw mvmError('CONFIG_INVALID', `${path} is not a JSON object`);
  const unknown = Object.keys(parsed.data).filter((key) => !isConfigKey(key));
  if (unknown.length === 0) return parsed.data;
  throw mvmError('CONFIG_INVALID', `${path} has settings that don't exist: ${unknown.join(', ')}`, {
    unknown,
    known: configKeys,
  });
};

const jsonIn = (path: string): unknown => {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw mvmError('CONFIG_INVALID', `${path} can't be read: ${String(error)}`);
  }
  try {
    return JSON.parse(content);
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
};
