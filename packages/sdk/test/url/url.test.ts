import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { URLSearchParams as GuestParams } from '../../src/url/url-search-params.ts';
import { URL as GuestUrl } from '../../src/url/url.ts';

const fields = [
  'href',
  'origin',
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
] as const;

type UrlClass = typeof URL | typeof GuestUrl;

/** All that a URL shows, or the word that it is none. */
const shown = (Class: UrlClass, url: string, base?: string): string => {
  try {
    const made = new Class(url, base);
    return fields.map((field) => `${field}=${made[field]}`).join('\n');
  } catch {
    return 'invalid';
  }
};

const sameAsNode = (url: string, base?: string): void =>
  assert.equal(shown(GuestUrl, url, base), shown(URL, url, base), `${JSON.stringify(url)} on ${JSON.stringify(base)}`);

describe('URL', () => {
  const base = 'http://docs.example.org:8080/api/classes/Body.html?page=2#methods';
  const references = [
    '',
    '#top',
    '?q=1',
    'Vec3.html',
    './Vec3.html',
    '../files/a.js.html#l12',
    '../../../../above.html',
    '..',
    '.',
    './',
    '../',
    '/',
    '/root.html',
    '//other.org/x',
    '///triple',
    '\\back\\slash',
    'a//b',
    'a/./b/../c',
    'a/%2e%2E/b',
    '/%2e/x',
    'with space.html',
    'umlaut-ü.html?ä=ö#ß',
    '%zz%41',
    'http:relative',
    'http:/one',
    'http:///three',
    'https:other',
    'HTTP://UPPER.example/Path',
    'mailto:someone@example.org',
    'javascript:void(0)',
    'data:text/html,<a>',
    'tel:+49 123',
    'about:blank',
    'foo://bar/baz/../q?x#y',
    'foo:/a/../b',
    'foo:///a',
    '  http://trim.me/  ',
    'http://new\nline.example/a\tb',
    'http://user:pa:ss@host/',
    'http://a@b@c/',
    'http://:80/',
    'http://host:/',
    'http://host:80/',
    'http://host:65535/',
    'http://host:65536/',
    'http://host:8a/',
    'http://',
    'http://@/',
    'http://a b/',
    'http://exa%41mple.org/',
    'http://exa%2fmple.org/',
    'http://münchen.example/',
    'http://日本語。jp/',
    'http://faß.example/',
    'http://xn--mnchen-3ya.example/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://256.256.256.256/',
    'http://1.2.3.4.5/',
    'http://4294967295/',
    'http://4294967296/',
    'http://1.2.3.08/',
    'http://example.1/',
    'http://[::1]/',
    'http://[1:2:3:4:5:6:7:8]:81/x',
    'http://[2001:db8:0:0:1:0:0:1]/',
    'http://[2001:0db8::0001]/',
    'http://[::ffff:1.2.3.4]/',
    'http://[::1.2.3]/',
    'http://[1:2]/',
    'http://[::1',
    'http://[:::1]/',
    'http://host/a?b?c#d#e',
    'http://host?query',
    'http://host#hash',
    'http://host/?a=\'"<>`{}|^',
    'http://host/\'"<>`{}|^',
    'http://host/#\'"<>`{}|^',
    'ws://host:80/',
    'wss://host:443/',
    'file:///etc/passwd',
    'file:a/b',
    'file://host/share',
    'file://localhost/x',
    'http://host/\ud800',
  ];

  for (const reference of references) {
    it(`reads ${JSON.stringify(reference)} as Node does, alone and on a base`, () => {
      sameAsNode(reference);
      sameAsNode(reference, base);
      sameAsNode(reference, 'foo://bar/a/b');
      sameAsNode(reference, 'mailto:a@b');
    });
  }

  it('reads whatever is put together from the pieces of URLs as Node does', () => {
    const words =
      'http: https: foo: / // \\ ? # @ : . .. %2e % %41 a B.c ü 80 443 99999 [::1] 1.2 0x1 & = + \' " < > | ^ { ~';
    const piece = fc.constantFrom(...words.split(' '), ' ', '\t');
    const text = fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join(''));
    fc.assert(fc.property(text, fc.constantFrom(undefined, base, 'http://h', 'foo://h/p', 'foo:opaque'), sameAsNode), {
      numRuns: 3_000,
    });
  });

  const changes: readonly (readonly [(typeof fields)[number], string])[] = [
    ['protocol', 'https'],
    ['protocol', 'foo'],
    ['host', 'other:81'],
    ['host', 'other'],
    ['host', ''],
    ['hostname', 'third'],
    ['hostname', 'bad host'],
    ['port', '90'],
    ['port', ''],
    ['port', 'x'],
    ['pathname', 'a/../b?c#d'],
    ['search', '?x=ü'],
    ['search', ''],
    ['hash', 'new'],
    ['hash', ''],
    ['username', 'me@'],
    ['password', 'p:w'],
  ];
  for (const [field, value] of changes) {
    it(`sets ${field} to ${JSON.stringify(value)} as Node does`, () => {
      const [guest, node] = [new GuestUrl(base), new URL(base)];
      Reflect.set(guest, field, value);
      Reflect.set(node, field, value);
      assert.equal(guest.href, node.href);
    });
  }

  it('changes with its searchParams', () => {
    const url = new GuestUrl(base);
    url.searchParams.append('q', 'a b&c');
    assert.equal(url.search, '?page=2&q=a+b%26c');
    url.searchParams.delete('page');
    url.searchParams.delete('q');
    assert.equal(url.href, 'http://docs.example.org:8080/api/classes/Body.html#methods');
  });

  it('names what it was given when that is no URL', () => {
    assert.throws(() => new GuestUrl('x'), { name: 'TypeError', message: 'Invalid URL: "x"' });
    assert.equal(GuestUrl.canParse('x'), false);
    assert.equal(GuestUrl.parse('x'), null);
    assert.equal(JSON.stringify({ url: new GuestUrl('y', 'http://x') }), '{"url":"http://x/y"}');
  });
});

describe('URLSearchParams', () => {
  it('reads and writes any ASCII text as Node does', () => {
    const piece = fc.constantFrom('a', '=', '&', '+', '%', '%41', '%ff', '%c3%bc', ' ', '?', "'");
    const text = fc.array(piece).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (query) => assert.equal(String(new GuestParams(query)), String(new URLSearchParams(query)))),
    );
  });

  it('takes characters beside percent-encoded bytes', () => {
    assert.equal(new GuestParams('ü%ff=😀%').toString(), '%C3%BC%EF%BF%BD=%F0%9F%98%80%25');
  });

  it('is made from pairs, records and other parameters', () => {
    assert.equal(
      String(
        new GuestParams([
          ['a', '1'],
          ['a', '2'],
        ]),
      ),
      'a=1&a=2',
    );
    assert.equal(String(new GuestParams({ a: '1', b: 'x y' })), 'a=1&b=x+y');
    assert.equal(String(new GuestParams(new GuestParams('?k=v'))), 'k=v');
    assert.throws(() => new GuestParams([['a']]), TypeError);
  });

  it('sets, sorts, finds and removes as Node does', () => {
    const act = (params: GuestParams | URLSearchParams): unknown => {
      params.append('b', '2');
      params.set('c', '9');
      params.sort();
      params.delete('a', '3');
      return [
        String(params),
        params.get('a'),
        params.getAll('c'),
        params.has('b', '2'),
        params.size,
        [...params.keys()],
      ];
    };
    assert.deepEqual(act(new GuestParams('c=1&a=1&c=2&a=3')), act(new URLSearchParams('c=1&a=1&c=2&a=3')));
  });
});
