/**
 * Lists the files that a command will run code from, as far as its own files tell: the program, the interpreters of a
 * script, and the native programs that its npm package brings along.
 */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { posix } from 'node:path';
import { scriptOf } from '../capture/script-argument.ts';
import { readSmallText } from '../capture/small-file.ts';
import { librariesBeside } from './known-files.ts';

/** What execvp searches without PATH: confstr(_CS_PATH). */
const DEFAULT_PATH = '/bin:/usr/bin';
/** Scripts whose interpreter is a script, as the kernel allows. */
const MAX_SCRIPT_DEPTH = 5;
/** BINPRM_BUF_SIZE of linux/binfmts.h. */
const MAX_SHEBANG_BYTES = 256;
const MAX_MANIFEST_BYTES = 1024 * 1024;
/** Folders from a script up to its package's manifest. */
const MAX_PACKAGE_DEPTH = 12;
const MAX_WALK_DEPTH = 8;
/** Names looked at in one package. */
const MAX_WALK_ENTRIES = 4096;
/** Programs with TLS in them are larger. */
const MIN_NATIVE_BYTES = 1024 * 1024;

export interface CommandPlace {
  /** Working directory. */
  directory: string;
  env: NodeJS.ProcessEnv;
}

/** Real paths, each once. Empty when the command is not found. */
export function commandFiles(command: readonly string[], place: CommandPlace): string[] {
  const found = new Set<string>();
  const [name = '', ...args] = command;
  const program = findProgram(name, place);
  if (program !== undefined) {
    addProgram(program, args, place, found, 0);
  }
  return [...found];
}

function addProgram(
  path: string,
  args: readonly string[],
  place: CommandPlace,
  found: Set<string>,
  depth: number,
): void {
  if (found.has(path) || depth > MAX_SCRIPT_DEPTH) {
    return;
  }
  found.add(path);
  for (const native of nativePrograms(path)) {
    found.add(native);
  }
  const shebang = readShebang(path);
  if (shebang !== undefined) {
    const [interpreter = '', ...words] = shebang;
    const next = posix.basename(interpreter) === 'env' ? programOfEnv(words) : interpreter;
    const program = findProgram(next, place);
    if (program !== undefined) {
      addProgram(program, [], place, found, depth + 1);
    }
    return;
  }
  for (const library of librariesBeside(path)) {
    found.add(library);
  }
  const script = scriptOf(path, [path, ...args]);
  const file = script?.kind === 'file' ? realPath(posix.resolve(place.directory, script.name)) : '';
  if (file) {
    addProgram(file, [], place, found, depth + 1);
  }
}

/** `env [-S] [NAME=VALUE…] PROGRAM`: https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html */
function programOfEnv(words: readonly string[]): string {
  return words.find((word) => !word.startsWith('-') && !word.includes('=')) ?? '';
}

function findProgram(name: string, { directory, env }: CommandPlace): string | undefined {
  if (name.includes('/')) {
    return realPath(posix.resolve(directory, name));
  }
  const folders = name === '' ? [] : (env.PATH ?? DEFAULT_PATH).split(':');
  for (const folder of folders) {
    const path = realPath(posix.resolve(directory, folder, name));
    if (path !== undefined && isExecutable(path)) {
      return path;
    }
  }
  return undefined;
}

/** The words behind `#!`; undefined when the file is no script. */
function readShebang(path: string): string[] | undefined {
  const head = readHead(path);
  const line = head?.startsWith('#!') ? head.slice(2).split('\n', 1)[0] : undefined;
  return line?.trim().split(/\s+/);
}

function readHead(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(MAX_SHEBANG_BYTES);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * An agent on npm is often a small script that starts a native program: from its own package, or from one of those
 * for several platforms of which npm installs the fitting one.
 */
function nativePrograms(path: string): string[] {
  const root = path.includes('/node_modules/') ? packageRoot(path) : undefined;
  if (root === undefined) {
    return [];
  }
  const budget = { entries: MAX_WALK_ENTRIES };
  const folders = [root, ...platformPackages(root)];
  return folders.flatMap((folder) => nativeFilesIn(folder, 0, budget));
}

function packageRoot(path: string): string | undefined {
  let folder = posix.dirname(path);
  for (let depth = 0; depth < MAX_PACKAGE_DEPTH; depth += 1) {
    if (/\/node_modules\/(?:@[^/]+\/)?[^/@]+$/.test(folder)) {
      return folder;
    }
    folder = posix.dirname(folder);
  }
  return undefined;
}

function platformPackages(root: string): string[] {
  const manifest = parse(readSmallText(posix.join(root, 'package.json'), MAX_MANIFEST_BYTES) ?? '');
  const names = Object.keys(manifest?.optionalDependencies ?? {});
  const found: string[] = [];
  for (const name of names) {
    // npm puts them beside the package or below it.
    const outer = root.slice(0, root.lastIndexOf('/node_modules/'));
    const places = [`${root}/node_modules/${name}`, `${outer}/node_modules/${name}`];
    const folder = places.map(realPath).find((one) => one !== undefined);
    if (folder !== undefined) {
      found.push(folder);
    }
  }
  return found;
}

function parse(text: string): { optionalDependencies?: object } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function nativeFilesIn(folder: string, depth: number, budget: { entries: number }): string[] {
  const found: string[] = [];
  for (const entry of list(folder)) {
    budget.entries -= 1;
    if (budget.entries < 0) {
      break;
    }
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules' && depth < MAX_WALK_DEPTH) {
      found.push(...nativeFilesIn(path, depth + 1, budget));
    } else if (entry.isFile() && isNative(path)) {
      found.push(path);
    }
  }
  return found;
}

function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function isNative(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  const isLarge = stats !== undefined && stats.size >= MIN_NATIVE_BYTES;
  return isLarge && readHead(path)?.startsWith('\x7fELF') === true;
}

function isExecutable(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true && (stats.mode & 0o111) !== 0;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
