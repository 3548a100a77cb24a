/** The dashboard as its users have it: served by a real control plane, with a real worker, in a real browser. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { buildDashboard } from '../../scripts/build/dashboard.ts';
import { Scene } from './scene.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const skip = executablePath === undefined && 'no Chromium is installed (Debian: chromium)';
const deadlineMs = 240_000;
const token = 'a-token-of-the-operator';

/** Would show in the page's faults, were it ever taken for a part of the page. */
const hostile = `<img src=x onerror="console.error('run')"><script>console.error('run')</script>"'`;

/** A page, and what went wrong in it. */
interface Watched extends AsyncDisposable {
  readonly page: Page;
  readonly faults: readonly string[];
}

describe('the web dashboard', { skip, timeout: 4 * deadlineMs }, () => {
  let browser: Browser;
  let scene: Scene;
  let url = '';

  before(async () => {
    await buildDashboard();
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
      timeout: deadlineMs,
    });
    scene = await Scene.start({ workers: 1 });
    url = scene.cluster.url;
    await scene.deploy('watched');
  });

  after(async () => {
    await browser?.close();
    await scene?.[Symbol.asyncDispose]();
  });

  const open = async (path: string, at = url): Promise<Watched> => {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(deadlineMs);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
    });
    await page.goto(`${at}${path}`);
    return { page, faults, [Symbol.asyncDispose]: () => context.close() };
  };

  const publish = async (id: string, end: string, text = 'hello'): Promise<void> => {
    await scene.publish([{ job_id: id, workflow: 'watched', input: { url: `${url}/healthz`, text, end } }]);
  };

  const state = (page: Page, word: string): Promise<void> =>
    page.getByRole('heading', { level: 1 }).getByText(word, { exact: true }).waitFor();

  const confirm = (page: Page, name: string): Promise<void> =>
    page.getByRole('dialog').getByRole('button', { name }).click();

  it('greets a browser at the root, and shows a job appear and finish', async () => {
    await using shown = await open('/');
    const { page, faults } = shown;
    assert.equal(new URL(page.url()).pathname, '/dashboard/');
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
    await publish('seen-live', 'completes');
    const row = page.getByRole('row').filter({ hasText: 'seen-live' });
    await row.getByText('completed').waitFor();
    await row.getByRole('link', { name: 'seen-live' }).click();
    await state(page, 'completed');
    const done = page.getByRole('region', { name: 'What the job did' });
    await done.locator('summary', { hasText: `GET ${url}/healthz` }).waitFor();
    await done.getByRole('cell', { name: '200 OK', exact: true }).waitFor();
    await done.getByRole('cell', { name: 'idempotent', exact: true }).waitFor();
    await done.getByRole('row').filter({ hasText: 'sleep' }).waitFor();
    await page.getByRole('log').getByText('logged: hello').waitFor();
    await page.getByLabel('Result').getByText('"status": 200').waitFor();
    assert.deepEqual(faults, []);
  });

  it('sends a message to a waiting job, says why it waits, and cancels another', async () => {
    await publish('waits', 'waits');
    await using shown = await open('/dashboard/jobs/waits');
    const { page, faults } = shown;
    await page.getByText('no outcome yet').waitFor();
    await page.getByText('it waits for a message of type go').waitFor();
    await page.getByRole('button', { name: 'Send message' }).click();
    await page.getByLabel('Type').fill('go');
    await page.getByLabel('Data, JSON').fill('{ "by": "ann" }');
    await confirm(page, 'Send message');
    await state(page, 'completed');
    await page.getByLabel('Result').getByText('"by": "ann"').waitFor();
    await publish('unwanted', 'waits');
    await page.goto(`${url}/dashboard/jobs/unwanted`);
    await page.getByRole('button', { name: 'Cancel job' }).click();
    await page.getByLabel('Reason').fill('nobody wants it');
    await confirm(page, 'Cancel job');
    await state(page, 'cancelled');
    assert.deepEqual(faults, []);
  });

  it('retries a failed job, and takes hostile texts for texts', async () => {
    await publish('hostile', 'fails', hostile);
    await using shown = await open('/dashboard/jobs/hostile');
    const { page, faults } = shown;
    await state(page, 'failed');
    await page.getByRole('log').getByText(`logged: ${hostile}`).waitFor();
    await page.getByText('WORKFLOW_FAILED', { exact: true }).waitFor();
    await page.getByLabel('Input').getByText('onerror').waitFor();
    const epoch = (await scene.client.status('hostile')).epoch;
    await page.getByRole('button', { name: 'Retry job' }).click();
    await confirm(page, 'Retry job');
    await scene.until(
      'hostile',
      (job) => job.epoch > epoch && job.status === 'failed',
      AbortSignal.timeout(deadlineMs),
    );
    await page.goto(`${url}/dashboard/`);
    await page.getByRole('table', { name: 'Failed last' }).getByRole('link', { name: 'hostile' }).waitFor();
    await page.goto(`${url}/dashboard/jobs/${encodeURIComponent(hostile)}`);
    await page.getByRole('alert').first().waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.ok(!faults.includes('run'), faults.join('\n'));
  });

  it('pauses a queue and lets it go on', async () => {
    await scene.client.setQueue('mail', { concurrency: 5 });
    await using shown = await open('/dashboard/queues');
    const { page, faults } = shown;
    const row = page.getByRole('row').filter({ hasText: 'mail' });
    await row.getByText('5 at a time').waitFor();
    await row.getByRole('button', { name: 'Pause' }).click();
    await confirm(page, 'Pause');
    await row.getByText('paused').waitFor();
    await row.getByRole('button', { name: 'Resume' }).click();
    await confirm(page, 'Resume');
    await row.getByText('open', { exact: true }).waitFor();
    assert.deepEqual(faults, []);
  });

  it('shows the workers', async () => {
    await using shown = await open('/dashboard/nodes');
    const row = shown.page.getByRole('row').filter({ hasText: 'worker-1' });
    await row.getByText('alive', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Ban' }).click();
    await shown.page.getByRole('dialog').getByRole('button', { name: 'Back' }).click();
    assert.deepEqual(shown.faults, []);
  });

  it('makes a ticket, and revokes it', async () => {
    await using shown = await open('/dashboard/tickets');
    const { page, faults } = shown;
    await page.getByRole('button', { name: 'Make a ticket' }).click();
    await page.getByLabel('Name').fill('laptop');
    await confirm(page, 'Make a ticket');
    await page.getByRole('img', { name: 'QR code' }).waitFor();
    assert.match(await page.getByLabel('Ticket', { exact: true }).innerText(), /^mvm1/);
    const row = page.getByRole('row').filter({ hasText: 'laptop' });
    await row.getByRole('button', { name: 'Revoke' }).click();
    await confirm(page, 'Revoke');
    await row.getByText('revoked').waitFor();
    assert.deepEqual(faults, []);
  });

  it('triggers a schedule, and shows what is deployed', async () => {
    await scene.client.setSchedule('nightly', { cron: '0 3 * * *', job: { payload: 1 } });
    await using shown = await open('/dashboard/schedules');
    const { page, faults } = shown;
    const row = page.getByRole('row').filter({ hasText: 'nightly' });
    await row.getByRole('button', { name: 'Trigger' }).click();
    await confirm(page, 'Trigger');
    await page.getByRole('link', { name: 'Modules' }).click();
    await page.getByRole('row').filter({ hasText: 'watched' }).waitFor();
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('There is no webhook.').waitFor();
    assert.deepEqual(faults, []);
  });

  it('pages through more jobs than fit, on a narrow screen too', async () => {
    const jobs = Array.from({ length: 120 }, (_, index) => ({
      job_id: `many-${index}`,
      payload: index,
      queue: 'bulk',
    }));
    await scene.publish(jobs);
    await using shown = await open('/dashboard/jobs?queue=bulk');
    const { page, faults } = shown;
    await page.setViewportSize({ width: 390, height: 800 });
    await page.getByRole('link', { name: 'many-119', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: 'many-69', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: 'many-0', exact: true }).waitFor();
    const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
    assert.equal(await page.evaluate(isWide), false, 'the page must be scrolled sideways');
    assert.deepEqual(faults, []);
  });

  it('runs no script that stands in the page', async () => {
    await using shown = await open('/dashboard/');
    const script = `new Promise((told) => {
      addEventListener('securitypolicyviolation', (event) => told(event.effectiveDirective));
      const script = document.createElement('div');
      script.innerHTML = '<b>never</b>';
      told('nothing refused it');
    }).catch(() => 'refused')`;
    assert.equal(await shown.page.evaluate(script), 'refused');
    const { headers } = await fetch(`${url}/dashboard/`);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|http|\*/);
  });
});

describe('the web dashboard of a control plane that demands a token', { skip, timeout: 2 * deadlineMs }, () => {
  it('asks for it, refuses a wrong one, and forgets it with the tab', async () => {
    await buildDashboard();
    await using stack = new AsyncDisposableStack();
    const browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
      timeout: deadlineMs,
    });
    stack.defer(() => browser.close());
    const scene = stack.use(await Scene.start({ controlPlaneArgs: ['--token', token] }));
    const page = await browser.newPage();
    page.setDefaultTimeout(deadlineMs);
    await page.goto(`${scene.cluster.url}/dashboard/queues`);
    await page.getByLabel('Operator token').fill('a wrong one');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Operator token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Queues' }).waitFor();
    await page.getByRole('row').filter({ hasText: 'default' }).waitFor();
    await page.reload();
    await page.getByRole('row').filter({ hasText: 'default' }).waitFor();
    assert.equal(await page.evaluate('localStorage.length + document.cookie.length'), 0);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Operator token').waitFor();
    const other = await browser.newPage();
    other.setDefaultTimeout(deadlineMs);
    await other.goto(`${scene.cluster.url}/dashboard/`);
    await other.getByLabel('Operator token').waitFor();
  });
});
