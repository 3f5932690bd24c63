/** Finds the npm or Python package that a running script belongs to. */
import { readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { LRUCache } from 'lru-cache';
import { resolveInRoot, rootPrefix } from './process-root.ts';
import { type Script, scriptOf } from './script-argument.ts';
import { readLink, readSmallText } from './small-file.ts';

export interface PackageIdentity {
  packageName: string;
  packageVersion?: string;
}

/** A package.json or METADATA beyond this is not read. */
const MAX_MANIFEST_BYTES = 1024 * 1024;

/** Folders looked into on the way up from a script. */
const MAX_DEPTH = 40;

/** Python packages whose list of commands is searched for a script, at most. */
const MAX_DISTRIBUTIONS = 1000;

/** Results kept, by mount namespace and script; a script of the same name seldom changes its package. */
const MAX_CACHED = 1024;

export interface PackageFinder {
  /** Undefined when it has no script, belongs to no package, or has exited. */
  find(pid: number, executable: string, argv: readonly string[]): PackageIdentity | undefined;
}

export function createPackageFinder(): PackageFinder {
  const cache = new LRUCache<string, { found: PackageIdentity | undefined }>({ max: MAX_CACHED });

  return {
    find(pid, executable, argv) {
      const script = scriptOf(executable, argv);
      const isNpmExecutable = executable.includes('/node_modules/');
      if (!isNpmExecutable && script?.interpreter !== 'python' && !isJavaScript(script)) {
        return undefined;
      }
      const directory = readLink(`/proc/${pid}/cwd`);
      const mounts = readLink(`/proc/${pid}/ns/mnt`);
      if (directory === undefined || mounts === undefined) {
        // It has exited; its files can no longer be told from the host's.
        return undefined;
      }
      const interpreter = argv[0]?.includes('/') ? posix.resolve(directory, argv[0]) : '';
      const subject = script ? `${script.kind}:${posix.resolve(directory, script.name)}` : '';
      const key = [mounts, executable, interpreter, subject].join('\0');
      const cached = cache.get(key);
      if (cached) {
        return cached.found;
      }
      const view: View = { prefix: rootPrefix(pid), directory, executable, interpreter };
      const found = lookUp(view, script);
      cache.set(key, { found });
      return found;
    },
  };
}

interface View {
  prefix: string;
  /** Working directory, as the process names it. */
  directory: string;
  executable: string;
  /** The interpreter as it was called, absolute: in a virtual environment a link to another's executable. */
  interpreter: string;
}

function isJavaScript(script: Script | undefined): boolean {
  return ['node', 'bun', 'deno'].includes(script?.interpreter ?? '');
}

function lookUp(view: View, script: Script | undefined): PackageIdentity | undefined {
  if (script?.kind === 'module') {
    return pythonModule(view, script.name);
  }
  const path = script
    ? resolveScript(view, script.name)
    : resolveInRoot(view.prefix, view.executable);
  if (path === undefined) {
    return undefined;
  }
  if (script?.interpreter === 'python') {
    return pythonScript(view, path);
  }
  return npmPackage(view.prefix, path);
}

/** Node also accepts a script without its extension, and a folder. */
function resolveScript(view: View, name: string): string | undefined {
  const path = posix.resolve(view.directory, name);
  return (
    resolveInRoot(view.prefix, path) ??
    resolveInRoot(view.prefix, `${path}.js`) ??
    resolveInRoot(view.prefix, posix.dirname(path))
  );
}

/** The nearest package.json upwards that has a name: some packages put nameless ones into their folders. */
function npmPackage(prefix: string, path: string): PackageIdentity | undefined {
  let folder = path;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const manifest = readSmallText(
      `${prefix}${posix.join(folder, 'package.json')}`,
      MAX_MANIFEST_BYTES,
    );
    const found = manifest === undefined ? undefined : parseManifest(manifest);
    if (found) {
      return found;
    }
    if (folder === '/') {
      return undefined;
    }
    folder = posix.dirname(folder);
  }
  return undefined;
}

function parseManifest(text: string): PackageIdentity | undefined {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { name, version } = (manifest ?? {}) as { name?: unknown; version?: unknown };
  if (typeof name !== 'string' || name === '') {
    return undefined;
  }
  return {
    packageName: name,
    ...(typeof version === 'string' && version !== '' ? { packageVersion: version } : {}),
  };
}

/** `python -m NAME`: the distribution that installed the module's top-level package. */
function pythonModule(view: View, name: string): PackageIdentity | undefined {
  const top = name.split('.')[0] ?? name;
  for (const site of siteFolders(view)) {
    const found = distributionOfModule(`${view.prefix}${site}`, top);
    if (found) {
      return found;
    }
  }
  return undefined;
}

function pythonScript(view: View, path: string): PackageIdentity | undefined {
  const inside = /^(.*\/(?:site|dist)-packages)\/([^/]+)/.exec(path);
  if (inside) {
    const top = (inside[2] ?? '').replace(/\.py$/, '');
    return distributionOfModule(`${view.prefix}${inside[1]}`, top);
  }
  // A command that pip made: bin/NAME beside the interpreter, importing from a distribution.
  if (!/\/s?bin\/[^/]+$/.test(path)) {
    return undefined;
  }
  for (const site of siteFolders(view, path)) {
    const found = distributionOfCommand(`${view.prefix}${site}`, posix.basename(path));
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** Folders of installed packages beside the interpreter (and beside a command), as the process names them. */
function siteFolders(view: View, command?: string): string[] {
  const folders: string[] = [];
  for (const program of [command ?? '', view.interpreter, view.executable]) {
    if (!program.startsWith('/')) {
      continue;
    }
    const base = posix.dirname(posix.dirname(program));
    for (const library of [posix.join(base, 'lib'), posix.join(base, 'local/lib')]) {
      for (const name of list(`${view.prefix}${library}`)) {
        if (/^(?:python|pypy)[\d.]*$/.test(name)) {
          folders.push(posix.join(library, name, 'site-packages'));
          folders.push(posix.join(library, name, 'dist-packages'));
        }
      }
    }
  }
  return [...new Set(folders)];
}

/** Distributions are normalised before they are compared (PEP 503). */
function normalise(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function distributionOfModule(site: string, top: string): PackageIdentity | undefined {
  const distributions = distributionsOf(site);
  const byName = distributions.find(({ name }) => normalise(name) === normalise(top));
  if (byName) {
    return identityOf(byName);
  }
  for (const distribution of distributions) {
    const tops = readSmallText(`${site}/${distribution.folder}/top_level.txt`, MAX_MANIFEST_BYTES);
    const record =
      tops ?? readSmallText(`${site}/${distribution.folder}/RECORD`, MAX_MANIFEST_BYTES) ?? '';
    const owns = tops
      ? tops.split('\n').some((line) => line.trim() === top)
      : record.startsWith(`${top}/`) ||
        record.includes(`\n${top}/`) ||
        record.includes(`\n${top}.py,`);
    if (owns) {
      return identityOf(distribution);
    }
  }
  return undefined;
}

function distributionOfCommand(site: string, command: string): PackageIdentity | undefined {
  for (const distribution of distributionsOf(site)) {
    const points = readSmallText(
      `${site}/${distribution.folder}/entry_points.txt`,
      MAX_MANIFEST_BYTES,
    );
    const isDeclared = points
      ?.split('\n')
      .some((line) => line.split('=', 1)[0]?.trim() === command && line.includes('='));
    if (isDeclared) {
      return identityOf(distribution);
    }
  }
  return undefined;
}

interface Distribution {
  folder: string;
  name: string;
  version: string;
}

/** `NAME-VERSION.dist-info` of wheels, `NAME-VERSION[-pyX.Y].egg-info` of distribution packages. */
function distributionsOf(site: string): Distribution[] {
  const found: Distribution[] = [];
  for (const folder of list(site)) {
    const match = /^(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$/.exec(folder);
    if (match?.[1] && match[2] && found.length < MAX_DISTRIBUTIONS) {
      found.push({ folder, name: match[1], version: match[2] });
    }
  }
  return found;
}

/** Folder names write `_` for `-`: the metadata has the name its authors gave it. */
function identityOf(distribution: Distribution): PackageIdentity {
  return { packageName: normalise(distribution.name), packageVersion: distribution.version };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
