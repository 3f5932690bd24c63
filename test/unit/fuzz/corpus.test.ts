/** Every input that was worth keeping of fuzzing: none may fail again. */
import assert from 'node:assert/strict';
import { readInputs, treeCorpus } from '../../fuzz/corpus.ts';
import { FUZZ_TARGETS } from '../../fuzz/targets.ts';

describe('the corpus of the fuzzer', function () {
  this.timeout(60_000);

  for (const target of FUZZ_TARGETS) {
    it(target.name, async () => {
      const inputs = readInputs(treeCorpus(target.name));
      assert.ok(inputs.length > 0, `${inputs.length} inputs`);
      for (const input of inputs) {
        await target.run(input);
      }
    });
  }
});
