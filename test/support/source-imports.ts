/** Reads which files there are and what they import from each other, from their text. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const SOURCE = join(PROJECT, 'src');

const EVERYTHING = Symbol('everything');

export interface Import {
  from: string;
  specifier: string;
  /** Absolute path of what is imported; undefined for a package. */
  target: string | undefined;
  /** Names as the imported file calls them; of `import()` and `* as`, whatever the importing text names. */
  has(name: string): boolean;
}

/** TypeScript and JavaScript files below a folder; none where it is not there. */
export function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      return name === 'node_modules' ? [] : sourceFiles(path);
    }
    return /\.(?:ts|mjs|cjs)$/.test(path) ? [path] : [];
  });
}

export function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const found: Import[] = [];
  const add = (specifier: string, names: Set<string> | typeof EVERYTHING): void => {
    found.push({
      from: path,
      specifier,
      target: specifier.startsWith('.') ? resolve(dirname(path), specifier) : undefined,
      has: (name) => (names === EVERYTHING ? hasWord(text, name) : names.has(name)),
    });
  };
  for (const match of text.matchAll(/^\s*(?:import|export)\b([^'"]*?)from\s+['"]([^'"]+)['"]/gm)) {
    add(match[2] ?? '', namesIn(match[1] ?? ''));
  }
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)) {
    add(match[1] ?? '', EVERYTHING);
  }
  for (const match of text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm)) {
    add(match[1] ?? '', new Set());
  }
  return found;
}

/** `{ a, type B, c as d }`: a, B and c. */
function namesIn(clause: string): Set<string> | typeof EVERYTHING {
  const list = /\{([^}]*)\}/.exec(clause)?.[1];
  if (list === undefined) {
    return EVERYTHING;
  }
  const names = list
    .replace(/\/\/.*$/gm, '')
    .split(',')
    .map(
      (item) =>
        item
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0] ?? '',
    );
  return new Set(names.filter((name) => name !== ''));
}

export function hasWord(text: string, word: string): boolean {
  return new RegExp(`(?<![\\w$])${word.replaceAll('$', '\\$')}(?![\\w$])`).test(text);
}
