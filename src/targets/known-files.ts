/** Lists the files that programs started later will probably take their TLS from. */
import { readdirSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { readSmallText } from '../capture/small-file.ts';
import { KNOWN_AGENTS } from './known-agents.ts';

/** Where the dynamic linker looks without being told (ld.so(8)), and where administrators install. */
const LIBRARY_FOLDERS = [
  '/lib',
  '/usr/lib',
  '/lib64',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/local/lib64',
  '/usr/local/ssl/lib',
  '/usr/local/ssl/lib64',
  '/home/linuxbrew/.linuxbrew/lib',
];

/** Debian keeps libraries in one folder per architecture. */
const MULTIARCH: Record<string, string> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** OpenSSL, GnuTLS, NSS and the NSPR below it. */
const TLS_LIBRARY = /^lib(?:ssl|gnutls|nspr4).*\.so(?:\.|$)/;
/** Users whose homes are looked into for agents. */
const MAX_HOMES = 64;
const MAX_LINKER_CONFIGURATION_BYTES = 256 * 1024;

/** Every TLS library in the system's library folders, by its real path. */
export function systemLibraries(): string[] {
  const multiarch = MULTIARCH[process.arch];
  const folders = [
    ...LIBRARY_FOLDERS,
    ...(multiarch
      ? ['/lib', '/usr/lib', '/usr/local/lib'].map((base) => `${base}/${multiarch}`)
      : []),
    ...linkerFolders(),
  ];
  return realPaths(folders.flatMap(librariesIn));
}

/** A program installed with its own library has it beside itself: conda, version managers, bundles. */
export function librariesBeside(executable: string): string[] {
  const folder = posix.dirname(executable);
  return realPaths([posix.join(folder, '../lib'), folder].flatMap(librariesIn));
}

/** The runtimes on the PATH that carry their TLS in the executable. */
export function runtimesOnPath(path: string): string[] {
  return commandsIn(foldersOf(path), ['node', 'nodejs', 'bun', 'deno']);
}

/** The commands of known agents: on the PATH, and where their installers put them for each user. */
export function agentCommands(path: string): string[] {
  const homes = ['/root', ...list('/home').map((name) => `/home/${name}`)].slice(0, MAX_HOMES);
  const folders = homes.flatMap((home) => [
    ...['.local/bin', 'bin', '.npm-global/bin', '.bun/bin'].map((name) => `${home}/${name}`),
    ...list(`${home}/.nvm/versions/node`).map((name) => `${home}/.nvm/versions/node/${name}/bin`),
  ]);
  const names = KNOWN_AGENTS.flatMap(({ commands }) => commands ?? []);
  return commandsIn([...foldersOf(path), ...folders], names);
}

function foldersOf(path: string): string[] {
  return [...path.split(':'), '/usr/local/bin', '/usr/bin'].filter((one) => one.startsWith('/'));
}

function commandsIn(folders: readonly string[], names: readonly string[]): string[] {
  return realPaths(folders.flatMap((folder) => names.map((name) => posix.join(folder, name))));
}

function librariesIn(folder: string): string[] {
  return list(folder)
    .filter((name) => TLS_LIBRARY.test(name))
    .map((name) => posix.join(folder, name));
}

/** Folders named in ld.so.conf and the files beside it. */
function linkerFolders(): string[] {
  const files = list('/etc/ld.so.conf.d').map((name) => `/etc/ld.so.conf.d/${name}`);
  return ['/etc/ld.so.conf', ...files].flatMap((file) =>
    (readSmallText(file, MAX_LINKER_CONFIGURATION_BYTES) ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('/')),
  );
}

function realPaths(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    try {
      found.add(realpathSync(path));
    } catch {
      // A link that leads nowhere, or a name that is not there.
    }
  }
  return [...found];
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
