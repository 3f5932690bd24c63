/** Finds the modules of SIGHTLINE_PLUGINS and starts each in a thread of its own, before anything is observed. */
import { readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPluginFile } from '../config/format.ts';
import { SightlineError } from '../util/errors.ts';
import { LOAD_TIMEOUT_MS } from './limits.ts';
import { startPluginThread } from './plugin-thread.ts';
import { type LoadedPlugin, pluginError } from './read-plugin.ts';

export interface LoadOptions {
  /** Where paths and packages are looked for; default: the working directory. */
  directory?: string;
  /** Effective user id; default: this process's. As root, files that others may write are refused. */
  euid?: number;
  /** Users beside root whose files are trusted: who called sudo. */
  trustedUids?: readonly number[];
  timeoutMs?: number;
}

/** Throws a SightlineError (SL_PLUGIN, exit code 2) for the first that cannot be used. */
export async function loadPlugins(
  names: readonly string[],
  options: LoadOptions = {},
): Promise<LoadedPlugin[]> {
  const loaded: LoadedPlugin[] = [];
  try {
    for (const name of names) {
      const plugin = await loadPlugin(name, options);
      loaded.push(plugin);
      refuseSameName(name, plugin, loaded.slice(0, -1));
    }
    return loaded;
  } catch (error) {
    for (const plugin of loaded) {
      plugin.end();
    }
    throw error;
  }
}

function refuseSameName(
  from: string,
  { name }: LoadedPlugin,
  others: readonly LoadedPlugin[],
): void {
  if (others.some((other) => other.name === name)) {
    throw pluginError(
      from,
      `another plugin is called ${name} too: give each a name of its own, or list it once`,
    );
  }
}

async function loadPlugin(name: string, options: LoadOptions): Promise<LoadedPlugin> {
  const path = findModule(name, options.directory ?? process.cwd());
  const { euid = process.geteuid?.() ?? -1, trustedUids = [] } = options;
  if (euid === 0) {
    refuseWritableByOthers(name, path, [0, ...trustedUids]);
  }
  return startPluginThread({
    from: name,
    path,
    fileName: basename(path).replace(/\.[cm]?js$/, ''),
    timeoutMs: options.timeoutMs ?? LOAD_TIMEOUT_MS,
  });
}

/** The file that a path or a package's name stands for, without symbolic links. */
function findModule(name: string, directory: string): string {
  try {
    const path = isPluginFile(name) ? fileOf(name, directory) : packageFile(name, directory);
    const real = realpathSync(path);
    if (!statSync(real).isFile()) {
      throw pluginError(name, `${real} is no file: name the module in it`);
    }
    return real;
  } catch (error) {
    if (error instanceof SightlineError) {
      throw error;
    }
    throw pluginError(
      name,
      isPluginFile(name)
        ? `no readable file is there (${codeOf(error)})`
        : `no package of this name is installed in ${directory} or beside Sightline; a file is written with its path, as ./${name}`,
      error,
    );
  }
}

function fileOf(name: string, directory: string): string {
  return name.startsWith('file:') ? fileURLToPath(name) : resolve(directory, name);
}

/** Beside the working directory, then beside Sightline itself, where a global installation puts it. */
function packageFile(name: string, directory: string): string {
  const places = [directory, dirname(fileURLToPath(import.meta.url))];
  let first: unknown;
  for (const place of places) {
    try {
      return resolvePackage(name, place);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function resolvePackage(name: string, directory: string): string {
  try {
    return createRequire(join(directory, 'any.js')).resolve(name);
  } catch (error) {
    // A package that can only be imported: `resolve` does not look at its `import` condition.
    if (codeOf(error) !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
      throw error;
    }
    return importedFile(name, directory);
  }
}

/** What `exports` of the package has for `import`. https://nodejs.org/api/packages.html#conditional-exports */
function importedFile(name: string, directory: string): string {
  const words = name.split('/');
  const packageName = words.slice(0, name.startsWith('@') ? 2 : 1).join('/');
  const entry = ['.', ...words.slice(packageName.split('/').length)].join('/');
  for (let at = resolve(directory); ; at = dirname(at)) {
    const folder = join(at, 'node_modules', packageName);
    const text = tryRead(join(folder, 'package.json'));
    if (text !== undefined) {
      const { exports } = JSON.parse(text) as { exports?: unknown };
      const target = targetOf(entryOf(exports, entry));
      if (target !== undefined) {
        return join(folder, target);
      }
    }
    if (at === dirname(at)) {
      throw new Error(`${name} exports nothing that can be imported`);
    }
  }
}

function entryOf(exports: unknown, entry: string): unknown {
  const isByEntry =
    typeof exports === 'object' &&
    exports !== null &&
    Object.keys(exports).some((key) => key.startsWith('.'));
  if (isByEntry) {
    return (exports as Record<string, unknown>)[entry];
  }
  return entry === '.' ? exports : undefined;
}

const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'default']);

function targetOf(entry: unknown): string | undefined {
  if (typeof entry === 'string') {
    return entry;
  }
  if (typeof entry !== 'object' || entry === null) {
    return undefined;
  }
  const found = Object.entries(entry).find(([condition]) => CONDITIONS.has(condition));
  return found === undefined ? undefined : targetOf(found[1]);
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * Who can write the file, or any folder above it, decides what root runs. A folder with the sticky bit, such as /tmp,
 * lets everyone add files but nobody take another's place.
 */
function refuseWritableByOthers(name: string, path: string, owners: readonly number[]): void {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid } = statSync(at) as Stats;
    const isSticky = at !== path && (mode & STICKY) !== 0;
    if ((mode & OTHERS_WRITE) !== 0 && !isSticky) {
      throw pluginError(
        name,
        `${at} can be written by others than its owner, and root shall not run what others wrote: chmod go-w ${at}`,
      );
    }
    if (!owners.includes(uid)) {
      throw pluginError(
        name,
        `${at} belongs to user ${uid}, and root shall not run what others wrote: chown it to root`,
      );
    }
    if (at === dirname(at)) {
      return;
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
