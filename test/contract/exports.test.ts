/**
 * Nothing in the source is there for nobody. What a file exports as a value is imported by another file: of the
 * source, or of the tests, benchmarks and tools. A type may also describe what its own file exports, and so may the
 * default of an option. Every file is reached from the program's entry, or from a tool.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Import, importsOf, PROJECT, SOURCE, sourceFiles } from '../support/source-imports.ts';

/** The package's own entry: the one file that passes on what others declare. */
const PACKAGE_ENTRY = join(SOURCE, 'index.ts');
/** What a process or a thread is started with. */
const PROGRAMS = ['cli/main.ts', 'plugins/plugin-thread-main.ts'];
const ENTRIES = [PACKAGE_ENTRY, ...PROGRAMS.map((name) => join(SOURCE, name))];
const OUTSIDE = ['test', 'bench', 'demo', 'deploy', 'scripts'].map((name) => join(PROJECT, name));

/** Parts whose callers are still to come, `file: name` or a whole file. A release has none. */
const AWAITED: readonly string[] = [];

const DECLARATION =
  /^export\s+(?:async\s+)?(const|let|function\*?|class|interface|type)\s+([\w$]+)/gm;
const ANY_EXPORT = /^export\b.*/gm;

interface Export {
  path: string;
  name: string;
  isType: boolean;
}

const texts = new Map(sourceFiles(SOURCE).map((path) => [path, readFileSync(path, 'utf8')]));
const imports = new Map<string, Import[]>();
for (const found of [...texts.keys(), ...OUTSIDE.flatMap(sourceFiles)].flatMap(importsOf)) {
  if (found.target !== undefined && found.target !== found.from) {
    imports.set(found.target, [...(imports.get(found.target) ?? []), found]);
  }
}

function exportsOf(path: string, text: string): Export[] {
  return [...text.matchAll(DECLARATION)].map(([, kind, name = '']) => ({
    path,
    name,
    isType: kind === 'interface' || kind === 'type',
  }));
}

/** More often than in its declaration, comments left out. */
function isUsedInOwnFile({ path, name }: Export): boolean {
  const code = (texts.get(path) ?? '').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const uses = code.match(new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`, 'g'));
  return (uses?.length ?? 0) > 1;
}

function isAwaited(path: string, name = ''): boolean {
  const file = relative(SOURCE, path);
  return AWAITED.includes(file) || AWAITED.includes(`${file}: ${name}`);
}

const all = [...texts].flatMap(([path, text]) => exportsOf(path, text));

describe('the exports of the source', () => {
  it('are found, and all declared where they are exported', () => {
    assert.ok(all.length > 100);
    const others = [...texts].flatMap(([path, text]) => {
      if (path === PACKAGE_ENTRY) {
        return [];
      }
      const declared = text.match(DECLARATION)?.length ?? 0;
      const lines = text.match(ANY_EXPORT) ?? [];
      return lines.length === declared ? [] : [relative(SOURCE, path)];
    });
    assert.deepEqual(others, []);
  });

  it('are each used', () => {
    const unused = all.filter((found) => {
      const { path, name, isType } = found;
      if (imports.get(path)?.some((other) => other.has(name))) {
        return false;
      }
      const isInterface = isType || /^DEFAULT_/.test(name);
      return !(isInterface && isUsedInOwnFile(found));
    });
    assert.deepEqual(
      unused
        .filter(({ path, name }) => !isAwaited(path, name))
        .map(({ path, name }) => `${relative(SOURCE, path)}: ${name}`),
      [],
    );
  });

  it('are of files that something reaches', () => {
    const lone = [...texts.keys()].filter(
      (path) =>
        !ENTRIES.includes(path) && (imports.get(path)?.length ?? 0) === 0 && !isAwaited(path),
    );
    assert.deepEqual(
      lone.map((path) => relative(SOURCE, path)),
      [],
    );
  });
});
