/** How QEMU and Firecracker are told what a microVM consists of. Pure. */

/** How QEMU runs a guest's instructions: on the processor, or by translating them. */
export type Accelerator = 'kvm' | 'tcg';

/** The files of an image, as scripts/build-worker-image makes them. */
interface Image {
  readonly kernel: string;
  readonly initramfs: string;
  readonly root: string;
}

/** What both are told. */
export interface Machine {
  readonly image: Image;
  readonly settingsDisk: string;
  readonly memoryMib: number;
  readonly cpus: number;
}

/** What QEMU is told beside it. */
export interface QemuMachine extends Machine {
  readonly name: string;
  readonly accelerator: Accelerator;
  /** The frequency of the host's time stamp counter, which a translated guest sees; it can't measure it on a busy host. */
  readonly tscKhz: number | undefined;
  /** Path of the socket by which it is told to press the power button. */
  readonly monitor: string;
}

const commonArguments = ['console=ttyS0', 'quiet', 'panic=-1'] as const;
const processors: Readonly<Record<Accelerator, string>> = { kvm: 'host', tcg: 'max' };
const accelerators: Readonly<Record<Accelerator, string>> = { kvm: 'kvm', tcg: 'tcg,thread=multi' };

const kernelArguments = ({ accelerator, tscKhz }: QemuMachine): string => {
  if (accelerator === 'kvm') return commonArguments.join(' ');
  // Without the second the kernel soon distrusts the counter on a busy host, counts ticks instead, and its clock falls behind.
  const clock = tscKhz === undefined ? [] : [`tsc_early_khz=${tscKhz}`, 'tsc=reliable'];
  return [...commonArguments, 'no_timer_check', 'nowatchdog', 'mitigations=off', ...clock].join(' ');
};

const disk = (id: string, path: string): readonly string[] => [
  '-drive',
  // A comma in a path is doubled.
  `id=${id},file=${path.replaceAll(',', ',,')},format=raw,if=none,readonly=on`,
  '-device',
  `virtio-blk-device,drive=${id}`,
];

/** The arguments of qemu-system-x86_64. Its console is its standard output. */
export const qemuArguments = (machine: QemuMachine): readonly string[] =>
  [
    ['-name', machine.name, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny'],
    ['-M', 'microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on'],
    ['-accel', accelerators[machine.accelerator], '-cpu', processors[machine.accelerator]],
    ['-m', String(machine.memoryMib), '-smp', String(machine.cpus)],
    ['-kernel', machine.image.kernel, '-initrd', machine.image.initramfs, '-append', kernelArguments(machine)],
    disk('root', machine.image.root),
    disk('settings', machine.settingsDisk),
    ['-netdev', 'user,id=net', '-device', 'virtio-net-device,netdev=net', '-device', 'virtio-rng-device'],
    ['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ['-qmp', `unix:${machine.monitor.replaceAll(',', ',,')},server=on,wait=off`],
  ].flat();

/** Firecracker's configuration, for its option --config-file. @param tap the network interface of the host */
export const firecrackerConfig = (machine: Machine, tap: string): object => ({
  'boot-source': {
    kernel_image_path: machine.image.kernel,
    initrd_path: machine.image.initramfs,
    // It has no power button and can't switch off: its guest ends it by restarting through the keyboard's controller.
    boot_args: [...commonArguments, 'reboot=k'].join(' '),
  },
  drives: [
    { drive_id: 'root', path_on_host: machine.image.root, is_root_device: false, is_read_only: true },
    { drive_id: 'settings', path_on_host: machine.settingsDisk, is_root_device: false, is_read_only: true },
  ],
  'machine-config': { vcpu_count: machine.cpus, mem_size_mib: machine.memoryMib },
  'network-interfaces': [{ iface_id: 'eth0', host_dev_name: tap }],
  entropy: {},
});
