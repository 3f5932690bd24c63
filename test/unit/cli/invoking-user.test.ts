import assert from 'node:assert/strict';
import {
  becomeUser,
  environmentOf,
  invokingOwner,
  invokingUser,
} from '../../../src/cli/invoking-user.ts';
import { SightlineError } from '../../../src/util/errors.ts';

/** A user that every Debian has. */
const DAEMON = { SUDO_UID: '1', SUDO_GID: '1', SUDO_USER: 'daemon' };

describe('the user behind sudo', () => {
  it('is nobody without sudo, for root, and without being root', () => {
    assert.equal(invokingUser({}, 0), undefined);
    assert.equal(invokingUser(DAEMON, 1000), undefined);
    assert.equal(invokingUser({ SUDO_UID: '0', SUDO_GID: '0', SUDO_USER: 'root' }, 0), undefined);
    assert.equal(invokingUser({ ...DAEMON, SUDO_UID: 'x' }, 0), undefined);
    assert.equal(invokingUser({ ...DAEMON, SUDO_UID: '' }, 0), undefined);
    assert.equal(invokingUser({ SUDO_UID: '1', SUDO_GID: '1' }, 0), undefined);
  });

  it('has a home and a shell from the user database', () => {
    const user = invokingUser(DAEMON, 0);
    assert.equal(user?.uid, 1);
    assert.equal(user?.name, 'daemon');
    assert.equal(user?.home, '/usr/sbin');
    assert.notEqual(user?.shell, '');
  });

  it('must be in the user database', () => {
    assert.throws(
      () => invokingUser({ ...DAEMON, SUDO_UID: '3999999999' }, 0),
      (error) => error instanceof SightlineError && error.exitCode === 125,
    );
  });

  it('gets files also when the user database does not know it', () => {
    const unknown = { SUDO_UID: '3999999999', SUDO_GID: '7' };
    assert.deepEqual(invokingOwner(unknown, 0), { uid: 3999999999, gid: 7 });
    assert.equal(invokingOwner(unknown, 1000), undefined);
    assert.equal(invokingOwner({ SUDO_UID: '0', SUDO_GID: '0' }, 0), undefined);
    for (const SUDO_UID of ['', ' 1', '1e3', '-1', '1.5']) {
      assert.equal(invokingOwner({ ...unknown, SUDO_UID }, 0), undefined);
    }
  });

  it('gets an own environment, without what sudo says about itself', () => {
    const user = invokingUser(DAEMON, 0);
    assert.ok(user);
    const env = environmentOf(user, {
      ...DAEMON,
      SUDO_COMMAND: 'x',
      MAIL: '/var/mail/root',
      HOME: '/root',
      PATH: '/bin',
      OPENAI_BASE_URL: 'http://h',
    });
    assert.deepEqual(env, {
      PATH: '/bin',
      OPENAI_BASE_URL: 'http://h',
      USER: 'daemon',
      LOGNAME: 'daemon',
      HOME: '/usr/sbin',
      SHELL: user.shell,
    });
    assert.deepEqual(becomeUser(user), [
      'setpriv',
      '--reuid=1',
      '--regid=1',
      '--init-groups',
      '--',
    ]);
  });
});
