/** Inputs of a target as files: those of the tree, and those that runs on this machine have found. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TREE = fileURLToPath(new URL('./corpus/', import.meta.url));
const FOUND = fileURLToPath(new URL('../../.output/fuzz/', import.meta.url));

/** Of the tree: small and few, replayed by every test run. */
export function treeCorpus(target: string): string {
  return join(TREE, target);
}

/** Of this machine: everything that took a new branch. */
export function foundCorpus(target: string): string {
  return join(FOUND, 'corpus', target);
}

export function findingsFolder(): string {
  return join(FOUND, 'findings');
}

export function readInputs(folder: string): Uint8Array[] {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return names.map((name) => readFileSync(join(folder, name)));
}

/** Named by its content, so that the same input is there once. Returns the path. */
export function writeInput(folder: string, bytes: Uint8Array, prefix = ''): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, prefix + createHash('sha1').update(bytes).digest('hex').slice(0, 12));
  writeFileSync(path, bytes);
  return path;
}

export function replaceInputs(folder: string, inputs: readonly Uint8Array[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const input of inputs) {
    writeInput(folder, input);
  }
}
