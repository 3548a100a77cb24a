import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Headers as GuestHeaders } from '../../src/http/headers.ts';

describe('Headers', () => {
  it('behaves as Node’s', () => {
    const act = (headers: GuestHeaders | Headers): unknown => {
      headers.append('X-Many', 'one');
      headers.append('x-many', ' two ');
      headers.set('Content-Type', 'text/html');
      headers.append('set-cookie', 'a=1');
      headers.append('Set-Cookie', 'b=2');
      headers.delete('gone');
      return [[...headers], headers.get('X-MANY'), headers.has('accept'), headers.getSetCookie(), headers.get('none')];
    };
    const init = { Gone: '1', Accept: '*/*' };
    assert.deepEqual(act(new GuestHeaders(init)), act(new Headers(init)));
    assert.deepEqual(
      [
        ...new GuestHeaders([
          ['b', '2'],
          ['a', '1'],
        ]),
      ],
      [
        ...new Headers([
          ['b', '2'],
          ['a', '1'],
        ]),
      ],
    );
    assert.deepEqual([...new GuestHeaders(new GuestHeaders(init))], [...new Headers(init)]);
  });

  it('refuses names and values that no request may have', () => {
    for (const name of ['', 'a b', 'ü', 'a:']) assert.throws(() => new GuestHeaders({ [name]: 'x' }), TypeError);
    for (const value of ['a\nb', 'a\0', '€']) assert.throws(() => new GuestHeaders({ a: value }), TypeError);
  });
});
