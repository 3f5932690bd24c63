/**
 * Fuzzes the parsers.
 *
 *     npm run fuzz -- [TARGET…] [--seconds N] [--seed N]     all targets share the seconds (60)
 *     npm run fuzz -- [TARGET…] --seconds N --save           and then renews the corpus in the tree
 *     npm run fuzz -- TARGET --input FILE                    runs one input, with its whole error
 *
 * A failure's input is left in .output/fuzz/findings. The exit code is 1 when there was one.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  findingsFolder,
  foundCorpus,
  readInputs,
  replaceInputs,
  treeCorpus,
  writeInput,
} from './corpus.ts';
import { startCoverage } from './coverage.ts';
import { createFuzzer, type Finding, type Fuzzer } from './fuzzer.ts';
import { startWatchdog } from './watchdog.ts';

/** Long runs give every target its turn several times, so that one that is stopped early has tried all. */
const MAX_TURN_SECONDS = 60;
/** Largest input of the corpus in the tree. */
const MAX_SAVED_BYTES = 4096;
const MAX_INPUT_BYTES = 65_536;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    save: { type: 'boolean', default: false },
    input: { type: 'string' },
  },
});

const totalSeconds = Number(values.seconds);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const coverage = startCoverage();
// Imported only now, so that what they import is counted.
const { FUZZ_TARGETS } = await import('./targets.ts');
const chosen = FUZZ_TARGETS.filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
const unknown = positionals.filter((name) => !FUZZ_TARGETS.some((target) => target.name === name));
if (unknown.length > 0 || !(totalSeconds > 0) || !Number.isSafeInteger(seed)) {
  const names = FUZZ_TARGETS.map(({ name }) => name).join(' ');
  console.error(`usage: npm run fuzz -- [TARGET…] [--seconds N] [--seed N]; targets: ${names}`);
  process.exit(2);
}

if (values.input !== undefined) {
  for (const target of chosen) {
    await target.run(readFileSync(values.input));
    console.log(`${target.name}: no failure`);
  }
  process.exit(0);
}

mkdirSync(findingsFolder(), { recursive: true });
const watchdog = startWatchdog(join(findingsFolder(), 'hang'), MAX_INPUT_BYTES);
console.log(`seed ${seed}, ${totalSeconds} s for ${chosen.length} targets`);
const fuzzers: Fuzzer[] = chosen.map((target) =>
  createFuzzer({
    target,
    seed,
    coverage,
    watchdog,
    corpus: [...readInputs(treeCorpus(target.name)), ...readInputs(foundCorpus(target.name))],
    onNewInput: (input) => writeInput(foundCorpus(target.name), input),
    onFinding: (finding) => leave(target.name, finding),
  }),
);
const share = totalSeconds / fuzzers.length;
const turns = Math.ceil(share / MAX_TURN_SECONDS);
for (let turn = 0; turn < turns; turn += 1) {
  for (const fuzzer of fuzzers) {
    await fuzzer.search(share / turns);
    if (turns > 1) {
      console.log(`turn ${turn + 1} of ${turns}: ${lineOf(fuzzer)}`);
    }
  }
}

let failed = 0;
for (const [index, fuzzer] of fuzzers.entries()) {
  console.log(lineOf(fuzzer));
  failed += fuzzer.summary().findings > 0 ? 1 : 0;
  if (values.save) {
    const inputs = await fuzzer.essentials(MAX_SAVED_BYTES);
    replaceInputs(treeCorpus((chosen[index] as { name: string }).name), inputs);
  }
}
console.log(`${fuzzers.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

function leave(target: string, { message, stack, input }: Finding): void {
  const path = writeInput(findingsFolder(), input, `${target}-`);
  writeFileSync(`${path}.txt`, stack || message);
  console.log(`${target}: ${message.split('\n', 1)[0]}`);
  console.log(`  npm run fuzz -- ${target} --input ${path}`);
}

function lineOf(fuzzer: Fuzzer): string {
  const { target, runs, seconds, corpusInputs, branches, findings } = fuzzer.summary();
  return (
    `${target.padEnd(18)} ${String(runs).padStart(9)} runs in ${seconds.toFixed(0)} s, ` +
    `${corpusInputs} inputs, ${branches} branches, ${findings} findings`
  );
}
