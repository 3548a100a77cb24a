import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryInbox } from '@mvm-ci/engine';
import { lacksCompiler, type Language } from './compilers.ts';
import { fetched, runAlone } from './lone-engine.ts';

const languages: readonly (readonly [title: string, fixture: string, language?: Language])[] = [
  ['AssemblyScript', 'talk-assemblyscript'],
  ['C, as a program', 'talk-c', 'C'],
  ['C, as a step machine', 'talk-c-core', 'C'],
  ['Rust', 'talk-rust', 'Rust'],
  ['Go', 'talk-go', 'Go'],
];

for (const [title, fixture, language] of languages) {
  const skip = language !== undefined && (await lacksCompiler(language));
  describe(`the calls of a workflow in ${title}`, { skip }, () => {
    it('fetch together, receive, send, start, join, respond and ask for a version', async () => {
      const inbox = new MemoryInbox();
      inbox.put({ type: 'message', from: 'boss', messageType: 'unwanted', data: '0' });
      inbox.put({ type: 'message', from: 'boss', messageType: 'go', data: '{"n":1}' });
      const { result, done } = await runAlone({
        folder: `fixtures/${fixture}`,
        workflow: 'talk',
        input: {},
        inbox,
        fetch: ({ url }) => fetched(url, url),
        apply: (effect) => {
          if (effect.type === 'send' && effect.job === 'nobody') return { code: 'JOB_NOT_FOUND', message: 'nobody' };
          if (effect.type === 'start')
            inbox.put({ type: 'child', job: effect.job, outcome: { type: 'completed', result: effect.input } });
          return undefined;
        },
      });
      assert.deepEqual(result, {
        loud: true,
        bytes: ['http://site/a'.length, 'http://site/bb'.length],
        go: { n: 1 },
        sent: true,
        child: 'j:1:5',
        end: { n: 1 },
        refused: 'JOB_NOT_FOUND',
      });
      assert.deepEqual(
        done.map((effect) => (effect.type === 'respond' ? `respond ${effect.value}` : `${effect.type} ${effect.job}`)),
        ['respond "early"', 'send other', 'start j:1:5'],
      );
    });
  });
}

describe('the calls of the flawless crate', { skip: await lacksCompiler('Rust with crates') }, () => {
  it('are answered in the types that the crate reads', async () => {
    const inbox = new MemoryInbox();
    const { result, done } = await runAlone({
      folder: '../../examples/09-flawless-rust',
      workflow: 'every_call',
      input: { url: 'http://site/' },
      inbox,
      fetch: ({ url, body }) => {
        if (url === 'http://broken/') return { type: 'error', code: 'CONNECTION_LOST', message: 'refused' };
        return fetched(url, `got ${String(body && Buffer.from(body))}`, url.endsWith('missing') ? 404 : 200);
      },
      // The wait with a timeout is over when its call is given up: only then the greeting comes.
      onIntents: (intents) => {
        if (intents.some(({ type }) => type === 'abandon'))
          inbox.put({ type: 'message', from: null, messageType: 'greeting', data: '{"text":"hello"}' });
      },
    });
    const { numbers, ...seen } = result as { numbers: unknown[] };
    assert.deepEqual(seen, {
      fractions: true,
      slept: true,
      secret: 'mvm-secret.KEY.',
      errors: ['StatusCode', 'ConnectionFailed'],
      posted: 'got hello',
      timeout: true,
      greeting: 'hello',
    });
    assert.deepEqual(
      numbers.map((value) => typeof value),
      ['boolean', 'number', 'number'],
    );
    assert.deepEqual(
      done.map((effect) => (effect.type === 'start' ? effect.workflow : effect.type)),
      ['flawless-rust@1.0.0/three_fetches', 'respond'],
    );
  });
});
