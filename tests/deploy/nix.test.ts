/**
 * The Nix expressions, read by Nix itself, with a stub in the place of nixpkgs: that they parse, that the flake has its
 * outputs, what systemd services the NixOS modules make of which settings, and what they refuse.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { findNix, root, type Nix, type ServiceModule } from './nix.ts';

const found = await findNix();
const skip = typeof found === 'string' && found;
const nix = found as Nix;

const modules = ['control-plane', 'worker', 'flawless'] as const;
const worker = { enable: true, ticketFile: '/run/keys/ticket' };

/** All settings of each module. */
const everything: Readonly<Record<ServiceModule, object>> = {
  'control-plane': {
    enable: true,
    http: '0.0.0.0:3020',
    peerPort: 4021,
    openFirewall: true,
    advertise: ['ci.example.org:4021', '192.0.2.1:4021'],
    tokenFile: '/run/keys/token',
    flawless: '0.0.0.0:27288',
    flawlessTokenFile: '/run/keys/flawless',
    engine: 'on',
    secretsFile: '/run/keys/secrets',
    leaseMs: 3_000,
    keepCompleted: '7d',
    keepFailed: '30d',
    keepCancelled: '100',
    relay: 'none',
    discovery: 'default',
    otlpEndpoint: 'http://collector:4318',
    logLevel: 'warn',
    extraFlags: ['--compact-after', 'off'],
  },
  worker: {
    ...worker,
    slots: 4,
    tags: ['linux', 'x64'],
    queues: ['default'],
    name: 'build-7',
    threads: 2,
    graceSeconds: 60,
    http: null,
    flawlessUrl: 'dns+http://engines:27288',
    flawlessTokenFile: '/run/keys/flawless',
    secretsFile: '/run/keys/secrets',
    relay: 'default',
    discovery: 'none',
    otlpEndpoint: 'http://collector:4318',
    logLevel: 'debug',
    extraFlags: ['--join-timeout', '60'],
  },
  flawless: {
    enable: true,
    http: '0.0.0.0:27288',
    tokenFile: '/run/keys/token',
    jobs: 'on',
    maxRuns: 64,
    threads: 3,
    graceSeconds: 5,
    secretsFile: '/run/keys/secrets',
    otlpEndpoint: 'http://collector:4318',
    logLevel: 'info',
    extraFlags: [],
  },
};

describe('the Nix expressions', { skip, timeout: 300_000 }, () => {
  after(() => nix[Symbol.asyncDispose]());

  it('are read by Nix', async () => {
    const files = globSync(['flake.nix', 'nix/*.nix'], { cwd: root });
    assert.ok(files.length > 8);
    for (const file of files) await nix.parse(join(root, file));
  });

  it('make a flake whose outputs can all be evaluated', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-flake-'));
    try {
      for (const path of ['flake.nix', 'nix', 'package.json', 'package-lock.json'])
        await cp(join(root, path), join(folder, path), { recursive: true });
      await nix.flake(['check', '--no-build'], folder);
      const outputs: Readonly<Record<string, unknown>> = JSON.parse(await nix.flake(['show', '--json'], folder));
      const kinds = ['apps', 'checks', 'devShells', 'formatter', 'nixosConfigurations', 'nixosModules', 'packages'];
      assert.deepEqual(Object.keys(outputs).toSorted(), kinds);
      const { packages } = outputs as { readonly packages: Readonly<Record<string, object>> };
      const names = ['default', 'flawless', 'mvm-ci', 'worker', 'worker-vm'];
      assert.deepEqual(Object.keys(packages['x86_64-linux'] ?? {}).toSorted(), names);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('fetch each package that is needed at run time, under the name that npm knows', async () => {
    const lock: {
      readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly dev?: boolean }>>;
    } = JSON.parse(
      await nix.evaluate(`import ${root}nix/npm-lock.nix { fetch = p: "/\${p.name}@\${p.version}:\${p.integrity}"; }`),
    );
    const fetched = Object.entries(lock.packages).filter(([, { resolved }]) => resolved?.startsWith('file:/') === true);
    assert.ok(fetched.length > 40);
    assert.deepEqual(
      fetched.filter(([path, { dev }]) => dev === true || /node-(linux|bin|win)|darwin|win32|musl/.test(path)),
      [],
    );
    const [iroh] = fetched.find(([path]) => path === 'node_modules/@number0/iroh-linux-x64-gnu') ?? [];
    assert.ok(iroh, 'the native binding of iroh is missing');
    const alias = lock.packages['node_modules/quickjs-ng-0.31']?.resolved;
    assert.match(alias ?? '', /^file:\/@jitl\/quickjs-ng-wasmfile-release-sync@[\d.]+:sha512-/);
  });

  it('make of the settings of a worker its variables, and of its files credentials', async () => {
    const { service } = await nix.service('worker', everything.worker);
    assert.deepEqual(service?.environment, {
      CONTROL_PLANE_TICKET: '%d/ticket',
      MVM_CI_WORKER_DATA: '%S/mvm-ci-worker',
      MVM_CI_SLOTS: '4',
      MVM_CI_TAGS: 'linux,x64',
      MVM_CI_QUEUES: 'default',
      MVM_CI_NAME: 'build-7',
      MVM_CI_THREADS: '2',
      MVM_CI_GRACE: '60',
      MVM_CI_RELAY: 'default',
      MVM_CI_DISCOVERY: 'none',
      MVM_CI_SECRETS: '%d/secrets',
      FLAWLESS_URL: 'dns+http://engines:27288',
      FLAWLESS_TOKEN_FILE: '%d/flawless-token',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      RUST_LOG: 'debug',
    });
    const { ExecStart, LoadCredential, TimeoutStopSec } = service.serviceConfig;
    assert.equal(ExecStart, "'/programs/bin/worker' '--join-timeout' '60'");
    assert.deepEqual(LoadCredential, [
      'flawless-token:/run/keys/flawless',
      'secrets:/run/keys/secrets',
      'ticket:/run/keys/ticket',
    ]);
    assert.equal(TimeoutStopSec, 70);
  });

  it('open the UDP port of a control plane when told so, and no other', async () => {
    const { service, firewall } = await nix.service('control-plane', everything['control-plane']);
    assert.deepEqual(firewall, [4021]);
    assert.equal(
      service?.serviceConfig['ExecStart'],
      "'/programs/bin/mvm-ci' 'control-plane' '--http' '0.0.0.0:3020' '--bind' '0.0.0.0:4021' '--keep-completed' '7d' '--keep-failed' '30d' '--keep-cancelled' '100' '--compact-after' 'off'",
    );
    assert.deepEqual((await nix.service('control-plane', { enable: true })).firewall, []);
  });

  it('confine every service, and give it longer to end than it takes', async () => {
    for (const module of modules) {
      const { service } = await nix.service(module, everything[module]);
      const settings = service?.serviceConfig ?? {};
      assert.equal(settings['DynamicUser'], true);
      assert.equal(settings['StateDirectory'], `mvm-ci-${module}`);
      assert.equal(settings['ProtectSystem'], 'strict');
      assert.equal(settings['CapabilityBoundingSet'], '');
      assert.equal(settings['KillSignal'], 'SIGTERM');
      const grace = Number(service?.environment['MVM_CI_GRACE'] ?? 10);
      assert.ok(Number(settings['TimeoutStopSec']) >= grace + 8, module);
    }
  });

  it('set only variables that the configuration reference lists, and tokens only by files', async () => {
    const reference = await readFile(join(root, 'docs/reference/config.md'), 'utf8');
    for (const module of modules) {
      const { service, options } = await nix.service(module, everything[module]);
      const names = Object.keys(service?.environment ?? {});
      assert.deepEqual(
        names.filter((name) => !reference.includes(`\`${name}\``) || name.endsWith('TOKEN')),
        [],
      );
      const set = Object.keys(everything[module]);
      assert.deepEqual(
        options.filter((name) => name !== 'package' && !set.includes(name)),
        [],
        'options that no test sets',
      );
    }
  });

  it('make nothing unless enabled, and refuse wrong settings', async () => {
    assert.equal((await nix.service('worker', { enable: false })).service, null);
    const wrong: readonly (readonly [ServiceModule, object, RegExp])[] = [
      ['worker', { enable: true }, /worker\.ticketFile has no value, and needs one/],
      ['worker', { ...worker, slots: 0 }, /worker\.slots must be null or integer from 1 to 1000, and is 0/],
      ['worker', { ...worker, ticketFile: 'mvm1abc' }, /worker\.ticketFile must be path/],
      ['worker', { ...worker, slot: 3 }, /worker\.slot is no option/],
      ['control-plane', { enable: true, engine: 'yes' }, /control-plane\.engine must be one of \["on","off"\]/],
      ['flawless', { enable: true, maxRuns: 20_000 }, /flawless\.maxRuns must be/],
    ];
    for (const [module, settings, message] of wrong) await assert.rejects(nix.service(module, settings), message);
  });
});
