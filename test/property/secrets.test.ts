/**
 * The secrets corpus: 200 and more invented credentials, each in the head, the URL, the body and the answer of an
 * exchange of one of the APIs, and in a program's arguments. Whatever the splits, none of them comes out anywhere.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ModelServer, startModelServer } from '../support/model-server/server.ts';
import { type Outputs, runChain } from '../support/secrets/chain.ts';
import { APIS, type Conversation, converse, type Shape } from '../support/secrets/conversations.ts';
import { createLeakFinder, type PlantedSecret, secretCorpus } from '../support/secrets/corpus.ts';

const TEXTS = ['file', 'console', 'notices', 'print', 'recording', 'replayed'] as const;

describe('planted credentials', function () {
  this.timeout(300_000);
  const corpus = secretCorpus();
  /** In a JSON text a line end is two bytes, and so two stars in a recording: of keys with line ends a replay differs. */
  const shortKeys = corpus.filter(({ text }) => !text.includes('\\n'));
  const findLeak = createLeakFinder(corpus);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({ tls: false });
  });

  after(async () => {
    await server.stop();
  });

  async function converseAll(
    secrets: readonly PlantedSecret[],
    shape: Omit<Shape, 'api'>,
    from: number,
  ): Promise<Conversation[]> {
    const apis = Object.keys(APIS);
    const conversations: Conversation[] = [];
    for (const [index, planted] of secrets.entries()) {
      const api = apis[(index + from) % apis.length] as string;
      conversations.push(await converse(server, planted, { ...shape, api, seed: index }));
    }
    return conversations;
  }

  function assertClean(outputs: Outputs, places: readonly (typeof TEXTS)[number][]): void {
    for (const place of places) {
      const text = outputs[place];
      const leak = findLeak(text);
      if (leak !== undefined) {
        const part = leak.secret.slice(-10);
        const at = Math.max(0, text.indexOf(part));
        assert.fail(`${leak.rule} in ${place}: …${text.slice(Math.max(0, at - 300), at + 60)}…`);
      }
    }
  }

  const sizes = fc.array(fc.integer({ min: 30, max: 2000 }), { minLength: 1, maxLength: 5 });

  /** Rare in streams and long: each round takes every fourth credential, all rounds together all. */
  function quarter(of: readonly PlantedSecret[], round: number): readonly PlantedSecret[] {
    return of.filter((_, index) => index % 4 === round % 4);
  }

  for (const [what, shape] of [
    ['whole answers', { stream: false, deltas: 1, encoding: 'identity', isRefused: false }],
    ['refusals', { stream: false, deltas: 1, encoding: 'identity', isRefused: true }],
    ['streams', { stream: true, deltas: 1, encoding: 'identity', isRefused: false }],
    ['streams in pieces', { stream: true, deltas: 9, encoding: 'identity', isRefused: false }],
  ] as const) {
    it(`come out nowhere: ${what}`, async () => {
      let round = 0;
      await fc.assert(
        fc.asyncProperty(sizes, fc.nat(8), async (split, from) => {
          const planted = quarter(corpus, round);
          round += 1;
          const conversations = await converseAll(planted, shape, from);
          const argv = planted.map(({ text }) => text);
          const outputs = await runChain({ conversations, sizes: split, argv });
          assert.ok(outputs.file.split('"spanId"').length > planted.length, 'there are spans');
          assertClean(outputs, TEXTS);
          assert.equal(outputs.unreleasedBytes, 0);
        }),
        { numRuns: 4 },
      );
    });
  }

  it('leave a recording that replays to what the live run exported', async () => {
    const shape = { stream: true, deltas: 1, encoding: 'identity', isRefused: false } as const;
    const conversations = await converseAll(quarter(shortKeys, 1), shape, 0);
    const outputs = await runChain({ conversations, sizes: [90, 700] });
    assert.equal(linesOf(outputs.replayed), linesOf(outputs.file));
  });

  it('are exported nowhere when they come compressed and in pieces', async () => {
    const shape = { stream: true, deltas: 9, encoding: 'gzip', isRefused: false } as const;
    const conversations = await converseAll(quarter(corpus, 2), shape, 0);
    const outputs = await runChain({ conversations, sizes: [90, 700] });
    assertClean(outputs, ['file', 'console', 'notices']);
  });
});

/** Traces and logs; metrics carry the time of their export. */
function linesOf(file: string): string {
  return file
    .split('\n')
    .filter((line) => /^\{"resource(?:Spans|Logs)"/.test(line))
    .join('\n');
}
