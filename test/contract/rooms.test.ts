/** Bytes flow one way: a room imports only from the rooms before it. The order is docs/architecture.md's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { importsOf, SOURCE, sourceFiles } from '../support/source-imports.ts';

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
  'plugins',
];
const STRANGERS = new Map([
  ['mcp', ['llm']],
  ['process', ['llm', 'mcp', 'http', 'transport']],
]);

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
    for (const { from, specifier, target: path } of imports) {
      const room = roomOf(from);
      const rank = ORDER.indexOf(room);
      if (path === undefined) {
        continue;
      }
      const target = roomOf(path);
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
