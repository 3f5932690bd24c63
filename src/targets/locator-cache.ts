/**
 * Remembers on disk what was found in a file, so that a large program is searched once on a host and not at every
 * start. An entry that does not read back is as good as none.
 */
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { posix } from 'node:path';
import type { FileIdentity, LocatedStack, LocateRefusal } from '../capture/binding.ts';

/** A host has some dozen programs with TLS; their updates add up over the months. */
export const DEFAULT_MAX_ENTRIES = 512;

/** A program with all stacks in it takes some 10 KiB. */
const MAX_ENTRY_BYTES = 256 * 1024;

/** Programs of earlier runs that are looked at when Sightline starts. */
const MAX_PROGRAMS = 128;

const ENTRY_NAME = /^[0-9a-f]{64}\.json$/;

export interface CachedLocations {
  stacks: LocatedStack[];
  refusals: LocateRefusal[];
}

export interface LocatorCacheOptions {
  /** Default: `cacheFolder()`. */
  folder?: string;
  maxEntries?: number;
}

export interface LocatorCache {
  get(identity: FileIdentity): CachedLocations | undefined;
  /** `path`: where the file is now. */
  put(identity: FileIdentity, locations: CachedLocations, path?: string): void;
  /** Where files with TLS in them were, most recently searched first: programs that will be started again. */
  programs(): string[];
}

/** /var/cache/sightline for root, else in $XDG_CACHE_HOME: https://specifications.freedesktop.org/basedir-spec/latest/ */
export function cacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  uid = process.geteuid?.(),
): string {
  if (uid === 0) {
    return '/var/cache/sightline';
  }
  const base = environment.XDG_CACHE_HOME;
  return base?.startsWith('/')
    ? posix.join(base, 'sightline')
    : posix.join(homedir(), '.cache/sightline');
}

/** Never throws: where the folder cannot be used, nothing is remembered. */
export function createLocatorCache(options: LocatorCacheOptions = {}): LocatorCache {
  const folder = posix.join(options.folder ?? cacheFolder(), 'locators');
  const maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
  let isUsable: boolean | undefined;

  /** Whoever could write an entry could choose where probes go, so the folder must be ours alone. */
  function canUse(): boolean {
    if (isUsable === undefined) {
      try {
        makeFolder(folder);
        isUsable = isOursAlone(folder);
      } catch {
        isUsable = false;
      }
    }
    return isUsable;
  }

  function pathOf(identity: FileIdentity): string {
    return posix.join(folder, `${keyOf(identity)}.json`);
  }

  return {
    get(identity) {
      if (!canUse()) {
        return undefined;
      }
      const path = pathOf(identity);
      try {
        if (statSync(path).size > MAX_ENTRY_BYTES) {
          return undefined;
        }
        return parseEntry(readFileSync(path, 'utf8'), identity);
      } catch {
        return undefined;
      }
    },
    put(identity, locations, path) {
      if (!canUse()) {
        return;
      }
      const text = JSON.stringify({ key: keyText(identity), path, ...locations });
      if (text.length > MAX_ENTRY_BYTES) {
        return;
      }
      const entry = pathOf(identity);
      const unfinished = `${entry}.${process.pid}`;
      try {
        makeRoom(folder, maxEntries);
        writeFileSync(unfinished, text, { mode: 0o600, flag: 'wx' });
        renameSync(unfinished, entry);
      } catch {
        remove(unfinished);
      }
    },
    programs() {
      try {
        return canUse() ? programsIn(folder) : [];
      } catch {
        return [];
      }
    },
  };
}

function programsIn(folder: string): string[] {
  const programs = new Set<string>();
  for (const { path } of byAge(folder).reverse()) {
    const program = programOf(path);
    if (program !== undefined) {
      programs.add(program);
    }
    if (programs.size === MAX_PROGRAMS) {
      break;
    }
  }
  return [...programs];
}

/** Nothing else of the entry is believed here: the file is looked at anew. */
function programOf(entryPath: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(readFileSync(entryPath, 'utf8'));
    const hasStacks = isRecord(entry) && Array.isArray(entry.stacks) && entry.stacks.length > 0;
    return hasStacks && isText(entry.path) && entry.path.startsWith('/') ? entry.path : undefined;
  } catch {
    // Broken, or removed by another Sightline since the folder was listed.
    return undefined;
  }
}

/**
 * A build id stands for the code, the layout for where it is in the file. Both can be forged, so that a search of the
 * forged file would choose where the true one is probed: an answer holds for files of the same owner on the same file
 * system alone. Without a build id it is the file itself, in its present state.
 */
function keyText(identity: FileIdentity): string {
  const { locatorsRevision, buildId, sizeBytes, layoutDigest, owner, device } = identity;
  const layout = `${locatorsRevision} ${process.arch} ${sizeBytes} ${layoutDigest.toString(16)}`;
  const origin = `${layout} owner ${owner} device ${device}`;
  return buildId
    ? `${origin} build-id ${buildId}`
    : `${origin} file ${identity.inode} ${identity.modifiedNs}`;
}

function keyOf(identity: FileIdentity): string {
  return createHash('sha256').update(keyText(identity)).digest('hex');
}

/** One folder at a time: below /proc the recursive `mkdirSync` of Node 20 never returns. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })) {
    return;
  }
  makeFolder(posix.dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function isOursAlone(folder: string): boolean {
  const stats = lstatSync(folder);
  return stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
}

function makeRoom(folder: string, maxEntries: number): void {
  const entries = entriesOf(folder);
  if (entries.length < maxEntries) {
    return;
  }
  for (const { path } of byAge(folder).slice(0, entries.length - maxEntries + 1)) {
    remove(path);
  }
}

function entriesOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => ENTRY_NAME.test(name));
}

/** Oldest first. */
function byAge(folder: string): { path: string; modifiedMs: number }[] {
  return entriesOf(folder)
    .map((name) => posix.join(folder, name))
    .map((path) => ({ path, modifiedMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((left, right) => left.modifiedMs - right.modifiedMs);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else was first.
  }
}

function parseEntry(text: string, identity: FileIdentity): CachedLocations | undefined {
  const entry: unknown = JSON.parse(text);
  if (!isRecord(entry) || entry.key !== keyText(identity)) {
    return undefined;
  }
  const { stacks, refusals } = entry;
  const isWhole =
    Array.isArray(stacks) &&
    stacks.every((stack) => isStack(stack, identity.sizeBytes)) &&
    Array.isArray(refusals) &&
    refusals.every((refusal) => isRecord(refusal) && typeof refusal.reason === 'string');
  return isWhole ? { stacks, refusals } : undefined;
}

function isStack(value: unknown, sizeBytes: number): value is LocatedStack {
  return (
    isRecord(value) &&
    ['stack', 'locatedBy', 'convention', 'evidence'].every((key) => isText(value[key])) &&
    Array.isArray(value.functions) &&
    value.functions.every((one) => isFunction(one, sizeBytes))
  );
}

function isFunction(value: unknown, sizeBytes: number): boolean {
  const isOffset = (offset: unknown): boolean =>
    Number.isSafeInteger(offset) && (offset as number) >= 0 && (offset as number) < sizeBytes;
  return (
    isRecord(value) &&
    ['name', 'signature', 'chosen', 'why'].every((key) => isText(value[key])) &&
    isOffset(value.functionOffset) &&
    isOffset(value.offset) &&
    typeof value.isEmulated === 'boolean' &&
    typeof value.canReturnProbe === 'boolean' &&
    Array.isArray(value.covers) &&
    value.covers.every(isText) &&
    Array.isArray(value.returns) &&
    value.returns.every(isOffset) &&
    Array.isArray(value.results) &&
    value.results.every(
      (one) => isPlace(one, isOffset) && Array.isArray(one.covers) && one.covers.every(isOffset),
    ) &&
    Array.isArray(value.entries) &&
    value.entries.every((one) => isPlace(one, isOffset) && typeof one.canReturnProbe === 'boolean')
  );
}

function isPlace(
  value: unknown,
  isOffset: (offset: unknown) => boolean,
): value is Record<string, unknown> {
  return (
    isRecord(value) &&
    isOffset(value.offset) &&
    Number.isSafeInteger(value.cookie) &&
    isText(value.instruction) &&
    isText(value.value)
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
