/**
 * Writes docs/configuration.md from the configuration schema and docs/commands.md from the commands' help.
 * `--check` writes nothing and fails when a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandsPage } from '../src/cli/commands-page.ts';
import { configurationPage } from '../src/config/configuration-page.ts';
import { redactionPage } from '../src/config/redaction-page.ts';

const PAGES = [
  { name: 'docs/configuration.md', text: configurationPage() },
  { name: 'docs/commands.md', text: commandsPage() },
  { name: 'docs/redaction.md', text: redactionPage() },
];

const isCheck = process.argv.includes('--check');
for (const { name, text } of PAGES) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (!isCheck) {
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} is stale: run "npm run docs"`);
    process.exitCode = 1;
  }
}
