import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPlainHttpUrl } from '../../src/url/plain-url.ts';

const hostLabel = fc.stringMatching(/^[a-z\d-]{1,6}$/);
const anything = fc.oneof(
  fc.string(),
  fc.constantFrom('.', '..', '%2e', '%2E%2e', '%41', '', 'ä', "'", '\\', '@', ' ', '|'),
);
const urls = fc.tuple(
  fc.constantFrom('http', 'https', 'HTTP', 'ftp'),
  fc.array(fc.oneof(hostLabel, fc.constantFrom('127', '0x7f', 'xn--a', '', '%61', 'A')), {
    minLength: 1,
    maxLength: 4,
  }),
  fc.constantFrom('', ':80', ':443', ':8080', ':0', ':08', ':65536', ':99999', ':'),
  fc.array(fc.oneof(hostLabel, anything), { maxLength: 4 }),
  fc.constantFrom('', '?', '?a=b', "?a='b'", '?a=%zz', '?ü', '#f', '?a#f'),
);
const textOf = ([scheme, host, port, path, rest]: readonly [string, string[], string, string[], string]): string =>
  `${scheme}://${host.join('.')}${port}${path.map((segment) => `/${segment}`).join('')}${rest}`;

describe('a plain URL', () => {
  it('is one that a URL parser gives back as it is', () => {
    fc.assert(
      fc.property(urls, (parts) => {
        const text = textOf(parts);
        if (isPlainHttpUrl(text)) assert.equal(new URL(text).href, text);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is what most requests have', () => {
    for (const text of [
      'http://effect.invalid/',
      'https://api.example.com/v1/users/42?include=posts&page=2',
      'http://localhost:8080/a.b/c-d_e',
      "https://example.org/it's(fine)/@scope/~user/a%20b?next=/x?y",
    ])
      assert.ok(isPlainHttpUrl(text), text);
  });

  it('is none that must be written in another way', () => {
    for (const text of [
      'http://example.com',
      'http://127.0.0.1/',
      'http://127.1/',
      'http://0x7f/',
      'http://a.1/',
      'http://EXAMPLE.com/',
      'http://example.com:80/',
      'https://example.com:443/x',
      'http://example.com:08/',
      'http://user@example.com/',
      'http://example.com/../a',
      'http://example.com/a/.',
      'http://example.com/%2e%2e/a',
      'http://example.com/a\\b',
      'http://example.com/a b',
      'http://example.com/ä',
      "http://example.com/?q='",
      'http://example.com/#part',
      'http://example.com/\n',
      ' http://example.com/',
      'ftp://example.com/',
    ])
      assert.ok(!isPlainHttpUrl(text), text);
  });
});
