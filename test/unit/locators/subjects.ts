/** Builds small programs with the shape of each TLS stack, and knows where their functions are. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../../src/capture/binding.ts';

const SOURCES = fileURLToPath(new URL('./subjects/', import.meta.url));

/** What the compilers of the real stacks do not do either. */
const FLAGS = ['-O2', '-fno-reorder-blocks-and-partition', '-Wall', '-Werror'];

export interface Subject {
  path: string;
  /** File offset of each of the functions asked for, from its symbols before they were removed. */
  offsets: Record<string, number>;
}

export interface SubjectBuilder {
  folder: string;
  /** Compiles, notes where the functions are, and strips. */
  build(
    name: string,
    source: string,
    options?: { flags?: string[]; functions?: string[]; isStripped?: boolean },
  ): Subject;
  write(name: string, bytes: Uint8Array | string): string;
  remove(): void;
}

export function createSubjectBuilder(): SubjectBuilder {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-locators-'));
  return {
    folder,
    build(name, source, options = {}) {
      const path = join(folder, name);
      const withSymbols = `${path}.symbols`;
      const flags = options.flags ?? [];
      execFileSync('gcc', [...FLAGS, ...flags, join(SOURCES, source), '-o', withSymbols]);
      copyFileSync(withSymbols, path);
      if (options.isStripped ?? true) {
        execFileSync('strip', ['-s', path]);
      }
      const { offsets } = loadBinding().locateSymbols(withSymbols, options.functions ?? []);
      return { path, offsets };
    },
    write(name, bytes) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
