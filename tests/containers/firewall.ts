import { run } from './command.ts';

/** UDP port of the control plane's peer plane. */
const peerPort = 3021;

/** Runs iptables in the network of a container: its own firewall, which it can't change itself. */
const iptables = async (container: string, rules: readonly string[]): Promise<void> => {
  const pid = (await run('docker', ['inspect', '--format', '{{.State.Pid}}', container])).trim();
  for (const rule of rules) await run('nsenter', ['--target', pid, '--net', 'iptables', '--wait', ...rule.split(' ')]);
};

/** Lets nothing in or out of a container but the peer path, its loopback, and TCP to the ports in `tcp`. */
export const closeFirewall = (container: string, tcp: readonly number[]): Promise<void> =>
  iptables(container, [
    '-A INPUT -i lo -j ACCEPT',
    '-A OUTPUT -o lo -j ACCEPT',
    `-A INPUT -p udp --sport ${peerPort} -j ACCEPT`,
    `-A OUTPUT -p udp --dport ${peerPort} -j ACCEPT`,
    ...tcp.flatMap((port) => [
      `-A INPUT -p tcp --sport ${port} -j ACCEPT`,
      `-A OUTPUT -p tcp --dport ${port} -j ACCEPT`,
    ]),
    '-P INPUT DROP',
    '-P OUTPUT DROP',
  ]);

/** Undoes {@link closeFirewall}. */
export const openFirewall = (container: string): Promise<void> =>
  iptables(container, ['-P INPUT ACCEPT', '-P OUTPUT ACCEPT', '-F INPUT', '-F OUTPUT']);
