/** Every shape of answer that real services give, whole and byte by byte, with content and without. */
import { FIXTURES_BY_API } from '../../support/llm-fixtures/all-fixtures.ts';
import { checkCall } from '../../support/llm-fixtures/check-call.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

const SPLITS: readonly (readonly [string, number[]])[] = [
  ['whole', [Number.MAX_SAFE_INTEGER]],
  ['byte by byte', [1]],
  ['in uneven pieces', [3, 64, 1, 17]],
];

for (const [api, fixtures] of FIXTURES_BY_API) {
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
