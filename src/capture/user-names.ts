/** User names by uid from /etc/passwd (passwd(5)), read again when the file changed. */
import { statSync } from 'node:fs';
import { readSmallText } from './small-file.ts';

const PASSWD = '/etc/passwd';
const MAX_PASSWD_BYTES = 4 * 1024 * 1024;

export interface UserNames {
  /** Undefined for a uid without an entry. */
  nameOf(uid: number): string | undefined;
  /** Looks whether the file changed. To be called now and then, not per process. */
  refresh(): void;
}

export function createUserNames(path: string = PASSWD): UserNames {
  let names = new Map<number, string>();
  let stamp = '';

  function refresh(): void {
    const stats = statSync(path, { throwIfNoEntry: false });
    const now = stats ? `${stats.ino}:${stats.size}:${stats.mtimeMs}` : '';
    if (now === stamp) {
      return;
    }
    stamp = now;
    names = parse(readSmallText(path, MAX_PASSWD_BYTES) ?? '');
  }

  refresh();
  return { nameOf: (uid) => names.get(uid), refresh };
}

function parse(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && /^\d+$/.test(uid) && !names.has(Number(uid))) {
      names.set(Number(uid), name);
    }
  }
  return names;
}
