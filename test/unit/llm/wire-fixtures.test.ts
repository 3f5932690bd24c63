/** Every shape of answer that real services give, whole and byte by byte, with content and without. */
import { ANTHROPIC_FIXTURES } from '../../support/llm-fixtures/anthropic-fixtures.ts';
import { checkCall } from '../../support/llm-fixtures/check-call.ts';
import { COMPLETIONS_FIXTURES } from '../../support/llm-fixtures/completions-fixtures.ts';
import { EMBEDDINGS_FIXTURES } from '../../support/llm-fixtures/embeddings-fixtures.ts';
import { OPENAI_FIXTURES } from '../../support/llm-fixtures/openai-fixtures.ts';
import { RESPONSES_FIXTURES } from '../../support/llm-fixtures/responses-fixtures.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

const SPLITS: readonly (readonly [string, number[]])[] = [
  ['whole', [Number.MAX_SAFE_INTEGER]],
  ['byte by byte', [1]],
  ['in uneven pieces', [3, 64, 1, 17]],
];

for (const [api, fixtures] of [
  ['chat completions', OPENAI_FIXTURES],
  ['responses', RESPONSES_FIXTURES],
  ['completions', COMPLETIONS_FIXTURES],
  ['embeddings', EMBEDDINGS_FIXTURES],
  ['messages', ANTHROPIC_FIXTURES],
] as const) {
  describe(`an answer of ${api}`, () => {
    for (const fixture of fixtures) {
      it(fixture.name, () => {
        for (const keepContent of [true, false]) {
          for (const [how, sizes] of SPLITS) {
            const observed = runExchange(fixture.wire, { sizes }, { keepContent });
            try {
              checkCall(observed, fixture.expected, { keepContent });
            } catch (error) {
              (error as Error).message += ` (${how}, content ${keepContent ? 'on' : 'off'})`;
              throw error;
            }
          }
        }
      });
    }
  });
}
