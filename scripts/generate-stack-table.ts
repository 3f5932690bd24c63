/**
 * Runs the tests that compare real programs' traffic byte for byte, and writes docs/tls-stacks.md from what passed.
 *
 *     npm run docs:stacks
 *     npm run docs:stacks -- ROWS    # from what runs of these tests have left in the file SIGHTLINE_STACK_ROWS names
 *
 * Needs root, eBPF, the built code, and the registries that the programs come from; what cannot be run here has no row.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROWS_VARIABLE, type StackRow } from '../test/support/stack-rows.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TESTS = [
  'test/real/stacks/programs.test.ts',
  'test/real/stacks/openssl-addon.test.ts',
  'test/real/stacks/rustls.test.ts',
  'test/real/stacks/old-go.test.ts',
  'test/real/agent-clis.test.ts',
];
const COLUMNS: readonly [string, (row: StackRow) => string][] = [
  ['stack', (row) => row.stack],
  ['program', (row) => row.program],
  ['version', (row) => row.version],
  ['located by', (row) => row.locatedBy],
  ['probes at emulated instructions', (row) => row.placement],
  ['connections', (row) => String(row.connections ?? '')],
  ['written, bytes', (row) => row.writtenBytes?.toLocaleString('en') ?? ''],
  ['read, bytes', (row) => row.readBytes?.toLocaleString('en') ?? ''],
  ['exact', (row) => row.exact],
  ['notes', (row) => row.notes],
];

const folder = mkdtempSync(join(tmpdir(), 'sightline-rows-'));
const given = process.argv[2];
const path = given ?? join(folder, 'rows.jsonl');

/** The tests' exit code. */
function runTests(): number {
  const flags = ['--no-config', '--node-option', 'import=tsx', '--timeout', '300000'];
  const { status } = spawnSync('npx', ['--no-install', 'mocha', ...flags, ...TESTS], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, [ROWS_VARIABLE]: path },
  });
  return status ?? 1;
}

try {
  const status = given === undefined ? runTests() : 0;
  const rows = (existsSync(path) ? readFileSync(path, 'utf8') : '')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StackRow);
  if (rows.length === 0) {
    throw new Error('no program could be run: see above');
  }
  const order = ['openssl', 'boringssl', 'gnutls', 'nss', 'go', 'rustls'];
  rows.sort(
    (left, right) =>
      order.indexOf(left.stack.split(' ')[0] ?? '') -
      order.indexOf(right.stack.split(' ')[0] ?? ''),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = [
    line(COLUMNS.map(([name]) => name)),
    line(COLUMNS.map(() => '---')).replaceAll(' ', ''),
    ...rows.map((row) => line(COLUMNS.map(([, cell]) => cell(row).replaceAll('|', '\\|')))),
  ];
  const intro = `# TLS stacks

What was captured of real programs, and compared with the record of the server that they talked to. \`npm run docs:stacks\`
writes this page from the tests that it runs: a row is there when its comparison has passed, and nothing is there that was
not run. Written and read are the program's own; no byte was lost, doubled or put into another connection. A probe at an
instruction that the kernel emulates costs a tenth of one elsewhere ([performance](performance.md)).

Run on ${new Date().toISOString().slice(0, 10)}, Linux ${release().split('-')[0]}, ${process.arch === 'x64' ? 'x86-64' : process.arch}.
`;
  writeFileSync(join(ROOT, 'docs/tls-stacks.md'), `${intro}\n${table.join('\n')}\n`);
  process.stdout.write(`docs/tls-stacks.md: ${rows.length} rows\n`);
  process.exitCode = status;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
