import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Http3Error } from '../../src/http3/error.ts';
import {
  readRequestHead,
  readResponseHead,
  readTrailers,
  requestLines,
  responseLines,
} from '../../src/http3/message-head.ts';
import type { FieldLine } from '../../src/http3/qpack/field-line.ts';

const pseudo: readonly FieldLine[] = [
  [':method', 'GET'],
  [':scheme', 'iroh+h3'],
  [':authority', 'abc'],
  [':path', '/x?y'],
];

const isMalformed = (work: () => unknown, why: string): void => {
  assert.throws(work, (thrown) => thrown instanceof Http3Error && thrown.h3 === 'H3_MESSAGE_ERROR', why);
};

test('a head is read as it was written', () => {
  const headers = new Headers({ 'x-a': 'b', 'content-length': '12' });
  const head = { method: 'POST', scheme: 'iroh+h3', authority: 'abc', path: '/x?y', headers };
  const read = readRequestHead(requestLines(head));
  assert.deepEqual({ ...read, headers: [...read.headers] }, { ...head, headers: [...headers], bodyBytes: 12 });
  const response = readResponseHead(responseLines(404, headers));
  assert.deepEqual([response.status, response.bodyBytes, [...response.headers]], [404, 12, [...headers]]);
});

test('lines of an HTTP/1 connection are not sent, and refused when they come', () => {
  const headers = new Headers({ connection: 'close', 'transfer-encoding': 'chunked', host: 'x', 'x-a': 'b' });
  assert.deepEqual(responseLines(200, headers), [
    [':status', '200'],
    ['x-a', 'b'],
  ]);
  for (const name of ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']) {
    isMalformed(() => readRequestHead([...pseudo, [name, 'x']]), name);
  }
  isMalformed(() => readRequestHead([...pseudo, ['te', 'gzip']]), 'te');
  assert.ok(readRequestHead([...pseudo, ['te', 'trailers']]));
});

test('what HTTP/3 calls malformed is refused', () => {
  for (let missing = 0; missing < pseudo.length; missing += 1) {
    isMalformed(() => readRequestHead(pseudo.toSpliced(missing, 1)), `without ${pseudo[missing]?.[0]}`);
  }
  const bad: readonly (readonly [string, readonly FieldLine[]])[] = [
    ['a name in upper case', [['X-A', 'b']]],
    ['an empty name', [['', 'b']]],
    ['a space in a name', [['x a', 'b']]],
    ['a line break in a value', [['x-a', 'b\r\nc: d']]],
    ['a zero in a value', [['x-a', 'b\0']]],
    ['space around a value', [['x-a', ' b']]],
    ['a pseudo-header twice', [[':path', '/']]],
    ['a pseudo-header of a response', [[':status', '200']]],
    ['an unknown pseudo-header', [[':x', 'y']]],
    [
      'two lengths',
      [
        ['content-length', '1'],
        ['content-length', '2'],
      ],
    ],
    ['a length that is none', [['content-length', '-1']]],
    ['a host that differs', [['host', 'other']]],
  ];
  for (const [why, lines] of bad) isMalformed(() => readRequestHead([...pseudo, ...lines]), why);
  isMalformed(() => readRequestHead([['x-a', 'b'], ...pseudo]), 'a pseudo-header after a header');
});

test('authorities and paths that would change the meaning of a URL are refused', () => {
  const withLine = (line: FieldLine): FieldLine[] => pseudo.map((old) => (old[0] === line[0] ? line : old));
  for (const authority of ['', 'user@host', 'a/b', 'a?b', 'a b', 'a#b']) {
    isMalformed(() => readRequestHead(withLine([':authority', authority])), authority);
  }
  for (const path of ['', 'x', '*', '/a b', '/\u00e4'])
    isMalformed(() => readRequestHead(withLine([':path', path])), path);
  isMalformed(() => readRequestHead(withLine([':method', 'G T'])), 'method');
  isMalformed(() => readRequestHead(withLine([':method', 'CONNECT'])), 'CONNECT');
});

test('a host line stands in for the authority, and equal lengths count once', () => {
  const lines = pseudo.filter(([name]) => name !== ':authority');
  assert.equal(readRequestHead([...lines, ['host', 'abc']]).authority, 'abc');
  assert.equal(readRequestHead([...pseudo, ['content-length', '5'], ['content-length', '5']]).bodyBytes, 5);
});

test('cookies that came in several lines are one header', () => {
  assert.equal(readRequestHead([...pseudo, ['cookie', 'a=1'], ['cookie', 'b=2']]).headers.get('cookie'), 'a=1; b=2');
});

test('a response needs a status from 100 to 599, and 101 has no meaning', () => {
  for (const status of ['', '99', '600', '2000', 'abc', '101']) {
    isMalformed(() => readResponseHead([[':status', status]]), status);
  }
});

test('trailers carry no pseudo-headers', () => {
  assert.equal(readTrailers([['x-a', 'b']]).get('x-a'), 'b');
  isMalformed(() => readTrailers([[':status', '200']]), 'trailers');
});
