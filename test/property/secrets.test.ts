/**
 * The secrets corpus: 200 and more invented credentials, each in the head, the URL, the body and the answer of an
 * exchange of one of the APIs, and in a program's arguments. Whatever the splits, none of them comes out anywhere, and
 * the recording replays to what the live run exported.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ModelServer, startModelServer } from '../support/model-server/server.ts';
import { type Outputs, runChain } from '../support/secrets/chain.ts';
import { APIS, type Conversation, converse, type Shape } from '../support/secrets/conversations.ts';
import { type PlantedSecret, secretCorpus } from '../support/secrets/corpus.ts';
import { createLeakFinder } from '../support/secrets/leak-finder.ts';
import { converseOverSocket, overHttp2 } from '../support/secrets/protocols.ts';

const TEXTS = ['file', 'console', 'notices', 'print', 'recording', 'recorded', 'replayed'] as const;

/** Credentials of each rule. */
const VARIANTS = 4;

/** Each way is tried with so many splits. */
const ROUNDS = 4;

/** How a conversation comes: everything that a recording must take apart to find a key. */
interface Way extends Omit<Shape, 'api'> {
  /** Sizes of the DATA frames; absent: HTTP/1.1. */
  http2FrameBytes?: number;
}

const PLAIN = { stream: true, deltas: 1, encoding: 'identity', isRefused: false } as const;

describe('planted credentials', function () {
  this.timeout(300_000);
  const corpus = secretCorpus(VARIANTS);
  const forms = new Map<string, PlantedSecret[]>();
  for (const planted of corpus) {
    forms.set(planted.form, [...(forms.get(planted.form) ?? []), planted]);
  }
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
    { http2FrameBytes, ...shape }: Way,
    from: number,
  ): Promise<Conversation[]> {
    const apis = Object.keys(APIS);
    const conversations: Conversation[] = [];
    for (const [index, planted] of secrets.entries()) {
      const api = apis[(index + from) % apis.length] as string;
      const conversation = await converse(server, planted, { ...shape, api, seed: index });
      conversations.push(
        http2FrameBytes === undefined ? conversation : overHttp2(conversation, http2FrameBytes),
      );
    }
    return conversations;
  }

  function assertClean(outputs: Outputs, places: readonly (typeof TEXTS)[number][]): void {
    for (const place of places) {
      const text = outputs[place];
      const leak = findLeak(text);
      if (leak !== undefined) {
        const { rule, part, index } = leak;
        const context = text.slice(Math.max(0, index - 300), index + 60);
        assert.fail(`${part} of ${rule} in ${place}: …${context}…`);
      }
    }
  }

  const sizes = fc.array(fc.integer({ min: 30, max: 2000 }), { minLength: 1, maxLength: 5 });

  /** One of each rule. */
  function ofEachRule(variant: number): readonly PlantedSecret[] {
    return corpus.filter((_, index) => index % VARIANTS === variant);
  }

  /** One of each form; which one it is changes from turn to turn. */
  function ofEachForm(turn: number): readonly PlantedSecret[] {
    return [...forms.values()].map((same) => same[turn % same.length] as PlantedSecret);
  }

  for (const [turn, [what, shape]] of (
    [
      ['whole answers', { ...PLAIN, stream: false }],
      ['refusals', { ...PLAIN, stream: false, isRefused: true }],
      ['streams', PLAIN],
      ['streams in pieces', { ...PLAIN, deltas: 9 }],
      ['gzip both ways', { ...PLAIN, stream: false, encoding: 'gzip', requestEncoding: 'gzip' }],
      [
        'deflate, streams in pieces',
        { ...PLAIN, deltas: 9, encoding: 'deflate', requestEncoding: 'deflate' },
      ],
      ['brotli, streams in pieces', { ...PLAIN, deltas: 5, encoding: 'br', requestEncoding: 'br' }],
      ['HTTP/2, streams in pieces', { ...PLAIN, deltas: 9, http2FrameBytes: 40 }],
      [
        'HTTP/2 and gzip, streams in pieces',
        { ...PLAIN, deltas: 9, encoding: 'gzip', requestEncoding: 'gzip', http2FrameBytes: 700 },
      ],
    ] as const satisfies [string, Way][]
  ).entries()) {
    it(`come out nowhere: ${what}`, async () => {
      let round = 0;
      await fc.assert(
        fc.asyncProperty(sizes, fc.nat(8), async (split, from) => {
          // A fourth of them a round, all rounds together all.
          const planted = ofEachForm(turn).filter((_, index) => index % ROUNDS === round % ROUNDS);
          round += 1;
          const conversations = await converseAll(planted, shape, from);
          const argv = planted.map(({ text }) => text);
          const outputs = await runChain({ conversations, sizes: split, argv });
          assert.ok(outputs.file.split('"spanId"').length > planted.length, 'there are spans');
          assertClean(outputs, TEXTS);
          assert.equal(outputs.unreleasedBytes, 0);
          assertReplayed(outputs);
        }),
        { numRuns: ROUNDS },
      );
    });
  }

  for (const isRealtime of [false, true]) {
    for (const isDeflating of [false, true]) {
      const api = isRealtime ? 'Realtime' : 'Responses';
      it(`come out nowhere: ${api} over WebSockets${isDeflating ? ', compressed' : ''}`, async () => {
        const planted = ofEachRule(isRealtime ? 0 : 1);
        const outputs = await runChain({
          conversations: planted.map((one, seed) =>
            converseOverSocket(one, { isRealtime, isDeflating, deltas: 9, seed }),
          ),
          sizes: [90, 700],
        });
        assert.ok(outputs.file.split('"spanId"').length > planted.length, 'there are spans');
        assertClean(outputs, TEXTS);
        assert.equal(outputs.unreleasedBytes, 0);
        assertReplayed(outputs);
      });
    }
  }

  for (const [turn, [what, shape]] of (
    [
      ['gzip', { ...PLAIN, encoding: 'gzip', requestEncoding: 'gzip' }],
      ['HTTP/2 and deflate', { ...PLAIN, encoding: 'deflate', http2FrameBytes: 300 }],
    ] as const satisfies [string, Way][]
  ).entries()) {
    it(`leave a recording that replays to what the live run exported: ${what}`, async () => {
      const conversations = await converseAll(ofEachForm(turn), shape, turn);
      assertReplayed(await runChain({ conversations, sizes: [90, 700] }));
    });
  }
});

/** The recording replays to what the live run exported. */
function assertReplayed({ file, replayed }: Outputs): void {
  const live = linesOf(file);
  const again = linesOf(replayed);
  let at = 0;
  while (at < live.length && live[at] === again[at]) {
    at += 1;
  }
  const around = (text: string) => text.slice(Math.max(0, at - 300), at + 60);
  assert.equal(around(again), around(live));
  assert.equal(again.length, live.length);
}

/** Traces and logs; metrics carry the time of their export. */
function linesOf(file: string): string {
  return file
    .split('\n')
    .filter((line) => /^\{"resource(?:Spans|Logs)"/.test(line))
    .join('\n');
}
