import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { binaries, CliProcess } from './fixtures/cli-process.ts';
import { runCommand } from './fixtures/fake-host.ts';

const commands = {
  'control-plane': [],
  worker: [],
  'flawless up': [],
  'flawless deploy': ['file'],
  'flawless run': ['m', 'w'],
  'flawless list': [],
  'flawless status': ['j1'],
  'flawless logs': ['j1'],
  'flawless journal show': ['j1'],
  'flawless replay': ['j1'],
  'flawless send': ['j1', 't'],
  'flawless cancel': ['j1'],
  'flawless modules': [],
  build: ['folder'],
  deploy: ['folder'],
  publish: ['w'],
  status: ['j1'],
  list: [],
  stats: [],
  run: ['w'],
  send: ['j1', 't'],
  'journal show': ['j1'],
  'journal verify': ['j1'],
  logs: ['j1'],
  cancel: ['j1'],
  events: [],
  modules: [],
  'nodes list': [],
  'nodes ban': ['n1'],
  'nodes allow': ['n1'],
  'nodes rename': ['n1', 'n2'],
  'ticket create': [],
  'ticket list': [],
  'ticket revoke': ['t1'],
} as const;

/** Nothing listens there. */
const nowhere = 'http://127.0.0.1:9';

describe('runCli', { concurrency: true }, () => {
  it('lists every command in its help', async () => {
    const { code, stdout } = await runCommand(['--help']);
    assert.equal(code, 0);
    const names = Object.keys(commands).map((command) => command.split(' ', 1)[0]);
    for (const name of names) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  });

  for (const command of Object.keys(commands)) {
    it(`explains ${command}, with examples that name it, and --json`, async () => {
      const { code, stdout, stderr } = await runCommand([...command.split(' '), '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(
        stdout,
        new RegExp(`Examples:\\n  \\$ npx ${command.startsWith('flawless ') ? '' : 'mvm-ci '}${command}\\b`),
      );
      assert.match(stdout, /--json/);
    });

    it(`refuses an unknown flag of ${command} as a usage error`, async () => {
      const { code, stdout, stderr } = await runCommand([...command.split(' '), '--bogus']);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /unknown option '--bogus'/);
    });
  }

  it('ends without a word when nobody reads its output any more', async () => {
    for (const binary of [binaries.mvmCi, binaries.worker]) {
      await using command = new CliProcess(['--help'], { binary });
      command.closeStdout();
      const { code, stderr } = await command.end();
      assert.deepEqual([code, stderr], [0, '']);
    }
  });

  it('refuses an empty argument before it asks the control plane', async () => {
    for (const [command, name] of [
      [['nodes', 'ban', ''], 'node'],
      [['nodes', 'rename', 'n1', ' '], 'name'],
      [['ticket', 'revoke', ''], 'id'],
      [['status', ''], 'job'],
    ] as const) {
      const { code, stderr } = await runCommand([...command, '--url', nowhere, '--json']);
      const { error } = JSON.parse(stderr);
      assert.deepEqual([code, error.code, error.message], [2, 'INVALID_ARGUMENT', `<${name}> is empty`]);
    }
  });

  for (const command of [
    'publish',
    'status',
    'list',
    'stats',
    'run',
    'send',
    'journal show',
    'logs',
    'cancel',
    'modules',
    'nodes list',
    'ticket list',
  ] as const)
    it(`says that ${command} found no control plane, where, and how to start one`, async () => {
      const args = [...command.split(' '), ...commands[command], '--url', nowhere];
      const human = await runCommand(args);
      assert.deepEqual([human.code, human.stdout], [1, '']);
      assert.match(human.stderr, /^error CONNECTION_LOST: no control plane answers at http:\/\/127\.0\.0\.1:9: /);
      assert.match(human.stderr, /npx mvm-ci control-plane/);
      const json = await runCommand([...args, '--json']);
      assert.deepEqual([json.code, json.stdout], [1, '']);
      assert.equal(JSON.parse(json.stderr).error.code, 'CONNECTION_LOST');
    });

  it('keeps usage errors machine-readable with --json', async () => {
    const { code, stdout, stderr } = await runCommand(['status', '--json']);
    assert.deepEqual([code, stdout], [2, '']);
    assert.deepEqual(JSON.parse(stderr), {
      error: { code: 'INVALID_ARGUMENT', message: "missing required argument 'job'" },
    });
  });

  for (const line of [
    'bogus',
    'bogus --help',
    '--help bogus',
    'help bogus',
    'help journal bogus',
    'help status bogus',
    'help flawless journal bogus',
    'journal help bogus',
    'queue bogus --help',
    'flawless bogus -h',
  ])
    it(`says that there is no such command: ${line}`, async () => {
      const { code, stdout, stderr } = await runCommand(line.split(' '));
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^error INVALID_ARGUMENT: unknown command 'bogus'/);
    });

  for (const line of [
    '--help',
    'help',
    'help status',
    'status --help',
    'status some-job --help',
    'queue --help',
    'journal some-job --help',
  ])
    it(`shows help: ${line}`, async () => {
      const { code, stdout, stderr } = await runCommand(line.split(' '));
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Usage: mvm-ci/);
    });

  it('shows the help of the command that all words of "help" name', async () => {
    for (const [line, named] of [
      ['help journal', 'journal'],
      ['help journal verify', 'journal verify'],
      ['journal help verify', 'journal verify'],
      ['help flawless journal show', 'flawless journal show'],
    ] as const) {
      const { code, stdout, stderr } = await runCommand(line.split(' '));
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: mvm-ci ${named} \\[`));
    }
  });

  it('suggests the command that was meant', async () => {
    const { code, stderr } = await runCommand(['statsu']);
    assert.equal(code, 2);
    assert.match(stderr, /Did you mean one of stats, status/);
  });

  it('takes a wrong setting as a usage error', async () => {
    const { code, stderr } = await runCommand(['stats'], { env: { MVM_CI_URL: 'localhost' } });
    assert.equal(code, 2);
    assert.match(stderr, /^error CONFIG_INVALID: MVM_CI_URL is "localhost"/);
  });

  it('refuses an input that is not JSON before it asks anybody', async () => {
    const { code, stderr } = await runCommand(['publish', 'w', '--input', '{url}', '--url', nowhere]);
    assert.equal(code, 2);
    assert.match(stderr, /^error INVALID_JSON: --input is not JSON/);
  });

  it('refuses two inputs, and --count with --wait', async () => {
    const two = await runCommand(['publish', 'w', '--input', '1', '--input-file', '-', '--url', nowhere]);
    assert.equal(two.code, 2);
    assert.match(two.stderr, /^error INVALID_ARGUMENT: give --input or --input-file/);
    const many = await runCommand(['publish', 'w', '--count', '2', '--wait', '--url', nowhere]);
    assert.deepEqual(
      [many.code, many.stderr.split('\n')[0]],
      [2, 'error INVALID_ARGUMENT: --count goes with neither --id nor --wait'],
    );
  });

  it('refuses numbers out of range with the range', async () => {
    const { code, stderr } = await runCommand(['list', '--limit', '0', '--url', nowhere]);
    assert.equal(code, 2);
    assert.match(stderr, /a whole number from 1 to 1000/);
  });

  it('takes a cursor, an id and a file that can be none as usage errors, with the value received', async () => {
    const cursor = await runCommand(['list', '--after', 'foo', '--url', nowhere]);
    assert.equal(cursor.code, 2);
    assert.match(cursor.stderr, /must be a whole number of at least 1, received "foo"/);
    const id = await runCommand(['publish', 'w', '--id', 'a b', '--url', nowhere]);
    assert.equal(id.code, 2);
    assert.match(id.stderr, /it must be letters, digits and .* received "a b"/);
    const file = await runCommand(['publish', 'w', '--input-file', 'missing', '--url', nowhere]);
    assert.equal(file.code, 2);
    assert.match(file.stderr, /^error INVALID_ARGUMENT: --input-file missing can't be read/);
  });

  it('reads an input file with a byte order mark, and refuses one that is no UTF-8 instead of mending it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-input-'));
    const codeOf = async (bytes: readonly number[]): Promise<string | undefined> => {
      const file = join(folder, 'input.json');
      await writeFile(file, new Uint8Array(bytes));
      const { stderr } = await runCommand(['publish', 'w', '--input-file', file, '--url', nowhere]);
      return /^error (\w+)/.exec(stderr)?.[1];
    };
    try {
      assert.equal(await codeOf([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), 'CONNECTION_LOST');
      assert.equal(await codeOf([0x22, 0xff, 0x22]), 'INVALID_JSON');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says that the table of a journal is cut, and how to see all', async () => {
    const { stdout } = await runCommand(['journal', 'show', '--help']);
    assert.match(stdout, /cut after 100 characters; --json prints all/);
  });

  it('says what a worker needs when it has no ticket, and what is wrong with one', async () => {
    const none = await runCommand(['worker']);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /^error TICKET_INVALID: a worker needs a ticket.*\n.*endpoint\.ticket/);
    const wrong = await runCommand(['worker', '--ticket', 'hello']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^error TICKET_INVALID: this is not a ticket/);
    const damaged = await runCommand(['worker', '--json'], { env: { CONTROL_PLANE_TICKET: 'mvm1abcdefgh' } });
    assert.equal(JSON.parse(damaged.stderr).error.details.fault, 'damaged');
  });

  it('says where a build fails', async () => {
    const { code, stderr } = await runCommand(['build', '/nowhere/at/all']);
    assert.equal(code, 1);
    assert.match(stderr, /^error BUILD_FAILED: no folder or file at "\/nowhere\/at\/all"/);
  });

  it('refuses a module name that is none, and a module file that is none', async () => {
    const named = await runCommand(['deploy', 'x.mvm', '--as', 'nameless', '--url', nowhere]);
    assert.equal(named.code, 2);
    assert.match(named.stderr, /^error INVALID_ARGUMENT: a module is deployed as name@version, not "nameless"/);
    const missing = await runCommand(['deploy', 'x@1.mvm', '--url', nowhere]);
    assert.match(missing.stderr, /^error MODULE_INVALID: the module file can't be read/);
  });
});
