import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './command.ts';
import { Stack } from './stack.ts';

/** What an image gets from here, by the path that it has there. */
const programs = {
  prometheus: { '/bin/prometheus': '/usr/bin/prometheus', '/bin/promtool': '/usr/bin/promtool' },
  alertmanager: {
    '/bin/alertmanager': '/usr/bin/prometheus-alertmanager',
    '/bin/amtool': '/usr/bin/amtool',
    // Where the one of Debian looks for them; the public one has them built in.
    '/usr/share/prometheus/alertmanager/default.tmpl': '/usr/share/prometheus/alertmanager/default.tmpl',
    '/usr/share/prometheus/alertmanager/email.tmpl': '/usr/share/prometheus/alertmanager/email.tmpl',
  },
} as const;
const missing = Object.values(programs)
  .flatMap((files) => Object.values(files))
  .filter((path) => !existsSync(path));
const deadlineMs = 120_000;
const pollMs = 250;

interface Targets {
  readonly activeTargets: readonly { readonly health: string; readonly labels: { readonly job: string } }[];
}
interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly health: string }[] }[];
}
interface Alertmanagers {
  readonly activeAlertmanagers: readonly unknown[];
}

describe('compose.monitoring.yaml', { timeout: 500_000 }, () => {
  const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`;

  it('has Prometheus ask each process by its token, and load the alerts', { skip }, async () => {
    const images = { PROMETHEUS_IMAGE: await imageOf('prometheus'), ALERTMANAGER_IMAGE: await imageOf('alertmanager') };
    const url = 'http://127.0.0.1:13090';
    const published = { MVM_CI_PUBLISH_PROMETHEUS: new URL(url).host, MVM_CI_PUBLISH_ALERTMANAGER: '127.0.0.1:13093' };
    await using stack = await Stack.start(4, 2, { ...images, ...published });
    await stack.watch('prometheus', 'alertmanager');
    const signal = AbortSignal.timeout(deadlineMs);
    const ask = async <Data>(path: string): Promise<Data> =>
      ((await (await fetch(`${url}/api/v1/${path}`)).json()) as { readonly data: Data }).data;

    const up = async (): Promise<readonly string[]> => {
      const data = await ask<Targets>('targets');
      return data.activeTargets.filter(({ health }) => health === 'up').map(({ labels }) => labels.job);
    };
    const wanted = ['mvm-ci-control-plane', 'mvm-ci-engine', 'mvm-ci-worker', 'mvm-ci-worker'];
    await until(async () => (await up()).length === wanted.length, signal);
    assert.deepEqual((await up()).toSorted(), wanted);
    for (const service of ['prometheus', 'alertmanager'])
      await until(async () => (await stack.healthOf(service)) === 'healthy', signal);
    await until(async () => {
      const groups = (await ask<Rules>('rules')).groups.flatMap((group) => group.rules);
      return groups.length > 5 && groups.every(({ health }) => health === 'ok');
    }, signal);
    await until(async () => (await ask<Alertmanagers>('alertmanagers')).activeAlertmanagers.length === 1, signal);
  });
});

/** Asks until the answer is yes: Prometheus tells nobody by itself. */
const until = async (isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> => {
  for (;;) {
    if (await isSo().catch(() => false)) return;
    await delay(pollMs, undefined, { signal });
  }
};

/** An image of a program that is installed here, in place of the public one. @returns its name */
const imageOf = async (name: keyof typeof programs): Promise<string> => {
  const context = mkdtempSync(join(tmpdir(), 'mvm-ci-image-'));
  try {
    const base = process.env['NODE_IMAGE'] ?? 'node:26.10.0-bookworm-slim';
    const lines = [`FROM ${base}`];
    for (const [there, here] of Object.entries(programs[name])) {
      copyFileSync(here, join(context, basename(there)));
      lines.push(`COPY ${basename(there)} ${there}`);
    }
    lines.push(`RUN install -d -o 65534 /${name}`, 'USER 65534', `ENTRYPOINT ["/bin/${name}"]`, '');
    writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
    await run('docker', ['build', '-t', `mvm-ci-test/${name}`, context]);
    return `mvm-ci-test/${name}`;
  } finally {
    rmSync(context, { recursive: true });
  }
};
