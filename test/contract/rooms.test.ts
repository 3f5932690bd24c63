/** Bytes flow one way: a room imports only from the rooms before it. The order is docs/architecture.md's. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = resolve(dirname(fileURLToPath(import.meta.url)), '../../src');

/** Rooms every other room may import. */
const SHARED = ['util', 'config', 'self'];

/** Rooms in the order the bytes take. `llm` and `mcp` must not know each other, nor `process` the two. */
const ORDER = [
  'capture',
  'targets',
  'transport',
  'http',
  'llm',
  'mcp',
  'process',
  'session',
  'telemetry',
];
const STRANGERS = new Map([
  ['mcp', ['llm']],
  ['process', ['llm', 'mcp', 'http', 'transport']],
]);

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      return sourceFiles(path);
    }
    return path.endsWith('.ts') ? [path] : [];
  });
}

interface Import {
  from: string;
  specifier: string;
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const found: Import[] = [];
  for (const match of text.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]/gm)) {
    found.push({ from: path, specifier: match[1] ?? '' });
  }
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ from: path, specifier: match[1] ?? '' });
  }
  return found;
}

function roomOf(path: string): string {
  const parts = relative(SOURCE, path).split('/');
  return parts.length > 1 ? (parts[0] ?? '') : '';
}

const files = sourceFiles(SOURCE);
const imports = files.flatMap(importsOf);

describe('the rooms of the source', () => {
  it('are found, with their imports', () => {
    assert.ok(files.length > 5);
    assert.ok(imports.length > 5);
  });

  it('import only from rooms before them', () => {
    const wrong: string[] = [];
    for (const { from, specifier } of imports) {
      const room = roomOf(from);
      const rank = ORDER.indexOf(room);
      if (!specifier.startsWith('.')) {
        continue;
      }
      const target = roomOf(resolve(dirname(from), specifier));
      if (room === 'cli' || room === '' || target === room || SHARED.includes(target)) {
        continue;
      }
      const targetRank = ORDER.indexOf(target);
      const isBefore = rank >= 0 && targetRank >= 0 && targetRank < rank;
      if (!isBefore || STRANGERS.get(room)?.includes(target)) {
        wrong.push(`${relative(SOURCE, from)} imports ${specifier}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('leave OpenTelemetry to telemetry and self, and the addon to one file', () => {
    const wrong: string[] = [];
    for (const { from, specifier } of imports) {
      const room = roomOf(from);
      if (specifier.startsWith('@opentelemetry/') && room !== 'telemetry' && room !== 'self') {
        wrong.push(`${relative(SOURCE, from)} imports ${specifier}`);
      }
    }
    for (const path of files) {
      if (readFileSync(path, 'utf8').includes(".node'") && !path.endsWith('capture/binding.ts')) {
        wrong.push(`${relative(SOURCE, path)} names an addon`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});
