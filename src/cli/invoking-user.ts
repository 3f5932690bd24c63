/** The user who called sudo, so that `exec` can start the command as that user and not as root. */
import { spawnSync } from 'node:child_process';
import { ExitCode, SightlineError } from '../util/errors.ts';

export interface InvokingUser {
  uid: number;
  gid: number;
  name: string;
  home: string;
  shell: string;
}

/** Who gets the files that are written. */
export interface FileOwner {
  uid: number;
  gid: number;
}

/** Variables that sudo sets about itself; the command was not started by sudo as far as it can tell. */
const SUDO_VARIABLES = ['SUDO_COMMAND', 'SUDO_GID', 'SUDO_HOME', 'SUDO_UID', 'SUDO_USER'];

/** The ids behind sudo, whether the user database knows them or not; undefined as for `invokingUser`. */
export function invokingOwner(env: NodeJS.ProcessEnv, euid: number): FileOwner | undefined {
  const uid = idOf(env.SUDO_UID);
  const gid = idOf(env.SUDO_GID);
  return euid === 0 && uid !== undefined && gid !== undefined && uid > 0 ? { uid, gid } : undefined;
}

function idOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** The user behind sudo; undefined when this was not started by sudo, or by root. */
export function invokingUser(env: NodeJS.ProcessEnv, euid: number): InvokingUser | undefined {
  const owner = invokingOwner(env, euid);
  const name = env.SUDO_USER;
  if (owner === undefined || name === undefined || name === '') {
    return undefined;
  }
  const { uid, gid } = owner;
  const entry = passwordEntry(uid);
  if (entry === undefined) {
    throw new SightlineError(
      'SL_USER_UNKNOWN',
      `the user ${name} (${uid}) who called sudo has no entry in the user database, so the command cannot be started as that user: unset SUDO_UID to start it as root`,
      { exitCode: ExitCode.execFailed },
    );
  }
  return { uid, gid, name, ...entry };
}

/** The environment as that user would have it, as far as sudo left it. */
export function environmentOf(user: InvokingUser, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own: NodeJS.ProcessEnv = {
    ...env,
    USER: user.name,
    LOGNAME: user.name,
    HOME: user.home,
    SHELL: user.shell,
  };
  for (const name of [...SUDO_VARIABLES, 'MAIL']) {
    delete own[name];
  }
  return own;
}

/** Words in front of a command that make it run as that user, with all of the user's groups. */
export function becomeUser(user: InvokingUser): string[] {
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--'];
}

/** By getent, which also knows users that are not in /etc/passwd. */
function passwordEntry(uid: number): { home: string; shell: string } | undefined {
  const { stdout, status } = spawnSync('getent', ['passwd', String(uid)], { encoding: 'utf8' });
  const fields = status === 0 ? stdout.trim().split(':') : [];
  const [, , , , , home, shell] = fields;
  if (home === undefined || home === '') {
    return undefined;
  }
  return { home, shell: shell === undefined || shell === '' ? '/bin/sh' : shell };
}
