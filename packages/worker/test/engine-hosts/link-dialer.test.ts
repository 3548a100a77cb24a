import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import { LinkDialer, type LinkConnection } from '../../src/engine-hosts/link-dialer.ts';
import { FakeClock, settled } from '../fixtures/fake-clock.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

/** A connection that a test ends. */
class ScriptConnection implements LinkConnection {
  readonly #closed = Promise.withResolvers<MvmError | undefined>();
  readonly open: LinkConnection['open'] = () => ({
    send: () => undefined,
    end: () => undefined,
    close: () => undefined,
  });

  get closed(): Promise<MvmError | undefined> {
    return this.#closed.promise;
  }

  close(error?: MvmError): void {
    this.#closed.resolve(error);
  }
}

const refused = mvmError('CONNECTION_LOST', 'nothing listens there');

describe('LinkDialer', () => {
  let clock: FakeClock;
  let logger: KeptLogger;
  let attempts = 0;
  let connect: () => Promise<LinkConnection>;
  let dialer: LinkDialer;

  beforeEach(() => {
    clock = new FakeClock();
    logger = new KeptLogger();
    attempts = 0;
    connect = () => Promise.reject(refused);
    dialer = new LinkDialer({
      connect: () => {
        attempts += 1;
        return connect();
      },
      engine: 'http://engine:27288',
      clock,
      random: fixedRandom,
      logger,
    });
  });

  const said = (level: string): readonly string[] =>
    logger.lines.filter((line) => line.level === level).map(({ text }) => text);

  it('tries until there is a connection, with an obstacle meanwhile that it names now and then', async () => {
    dialer.start();
    await clock.advance(9_000);
    assert.equal(dialer.obstacle, refused);
    await assert.rejects(dialer.connection(), { code: 'CONNECTION_LOST' });
    assert.equal(said('warn').length, 2);
    const connection = new ScriptConnection();
    connect = () => Promise.resolve(connection);
    await clock.advance(2_000);
    assert.equal(dialer.obstacle, undefined);
    assert.equal(await dialer.connection(), connection);
    await dialer.stop();
  });

  it('says a wrong setting as an error, and tries again all the same', async () => {
    connect = () => Promise.reject(mvmError('CONFIG_INVALID', 'not an engine server'));
    dialer.start();
    await clock.advance(4_000);
    assert.equal(said('error').length, 1);
    assert.ok(attempts > 3);
    await dialer.stop();
  });

  it('says everything for debugging only where somebody else speaks for it', async () => {
    const connection = new ScriptConnection();
    let isThere = false;
    const quiet = new LinkDialer({
      connect: () => (isThere ? Promise.resolve(connection) : Promise.reject(refused)),
      engine: 'http://engine:27288',
      isQuiet: true,
      clock,
      random: fixedRandom,
      logger,
    });
    quiet.start();
    await settled();
    isThere = true;
    await clock.advance(2_000);
    connection.close();
    await settled();
    await quiet.stop();
    assert.deepEqual(
      logger.lines.map(({ level }) => level),
      ['debug', 'debug', 'debug'],
    );
  });

  it('makes a connection again that was lost', async () => {
    const connections = [new ScriptConnection(), new ScriptConnection()];
    connect = () => Promise.resolve(connections[attempts - 1] ?? new ScriptConnection());
    dialer.start();
    await settled();
    connections[0]?.close(mvmError('CONNECTION_LOST', 'the server is gone'));
    await settled();
    assert.equal(dialer.obstacle?.message, 'the server is gone');
    await clock.advance(100);
    assert.equal(await dialer.connection(), connections[1]);
    await dialer.stop();
  });

  it('lets who wants a connection wait for the attempt that is under way', async () => {
    const made = Promise.withResolvers<LinkConnection>();
    connect = () => made.promise;
    const wanted = dialer.connection();
    assert.equal(dialer.obstacle?.code, 'UNAVAILABLE');
    const connection = new ScriptConnection();
    made.resolve(connection);
    assert.equal(await wanted, connection);
    await dialer.stop();
  });

  it('closes a connection that comes when it has been stopped, and leaves no timer', async () => {
    const made = Promise.withResolvers<LinkConnection>();
    connect = () => made.promise;
    dialer.start();
    const stopped = dialer.stop();
    const connection = new ScriptConnection();
    made.resolve(connection);
    await stopped;
    assert.equal(await connection.closed, undefined);
    assert.equal(clock.pending, 0);
  });
});
