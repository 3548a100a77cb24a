import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it, type TestContext } from 'node:test';

const program = fileURLToPath(new URL('../../scripts/microvm/run.ts', import.meta.url));
const ticket = 'mvm1aticketforthetest';
const othersMayRead = 0o077;

const folderFor = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-microvm-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['vmlinux', 'initramfs', 'root.ext4']) writeFileSync(join(folder, name), '');
  return folder;
};

const start = (folder: string, ...args: readonly string[]): { code: number | null; told: string } => {
  const env = { ...process.env, CONTROL_PLANE_TICKET: ticket };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--image', folder, ...args], { env });
  return { code: status, told: String(stdout) + String(stderr) };
};

describe('the script that starts microVMs', () => {
  it('guesses no accelerator, and takes no ticket where everybody can read it', (t) => {
    const folder = folderFor(t);
    for (const [args, rule] of [
      [[], /--accel must be kvm or tcg/],
      [['--accel', 'auto'], /--accel must be kvm or tcg, not 'auto'/],
      [['--accel', 'tcg', '--ticket', ticket], /--ticket names a file/],
      [['--accel', 'tcg', '--count', '0'], /--count must be a whole number/],
      [['--accel', 'tcg', '--name', '../x'], /--name must be/],
      [['--accel', 'tcg', '--env', 'novalue'], /--env must be KEY=VALUE/],
    ] as const) {
      const { code, told } = start(folder, ...args);
      assert.equal(code, 1);
      assert.match(told, rule);
    }
  });

  it('says what is to be done when there is no image', (t) => {
    const folder = folderFor(t);
    rmSync(join(folder, 'root.ext4'));
    const { code, told } = start(folder, '--firecracker', join(folder, 'out'));
    assert.equal(code, 1);
    assert.match(told, /root\.ext4 is missing: make it with scripts\/build-worker-image/);
  });

  it('writes what Firecracker starts machines from, with the ticket on a disk that only its owner can read', (t) => {
    const folder = folderFor(t);
    const out = join(folder, 'out');
    const args = ['--firecracker', out, '--name', 'vm', '--count', '2', '--memory', '256', '--', '--slots', '3'];
    const { code, told } = start(folder, ...args);
    assert.equal(code, 0, told);
    assert.match(told, /^firecracker --api-sock \S+\/vm-1\.socket --config-file \S+\/vm-1\.json$/m);
    const config = readFileSync(join(out, 'vm-2.json'), 'utf8');
    assert.ok(!config.includes(ticket));
    assert.deepEqual(JSON.parse(config), {
      'boot-source': {
        kernel_image_path: join(folder, 'vmlinux'),
        initrd_path: join(folder, 'initramfs'),
        boot_args: 'console=ttyS0 quiet panic=-1 reboot=k',
      },
      drives: [
        { drive_id: 'root', path_on_host: join(folder, 'root.ext4'), is_root_device: false, is_read_only: true },
        { drive_id: 'settings', path_on_host: join(out, 'vm-2.settings'), is_root_device: false, is_read_only: true },
      ],
      'machine-config': { vcpu_count: 2, mem_size_mib: 256 },
      'network-interfaces': [{ iface_id: 'eth0', host_dev_name: 'tap1' }],
      entropy: {},
    });
    const disk = join(out, 'vm-2.settings');
    assert.equal(statSync(disk).mode & othersMayRead, 0);
    const fileIn = (name: string): string => String(spawnSync('tar', ['-xOf', disk, `./${name}`]).stdout);
    assert.equal(fileIn('ticket'), `${ticket}\n`);
    assert.equal(fileIn('arguments'), '--slots\n3\n');
    assert.match(fileIn('environment'), /^CONTROL_PLANE_TICKET=\/run\/mvm-ci\/ticket$/m);
  });
});
