/** The tree in the terminal: golden texts, width, colour, order of arrival, bounds. */
import assert from 'node:assert/strict';
import type { StoryPiece } from '../../../src/session/story.ts';
import type { TelemetryOptions } from '../../../src/telemetry/options.ts';
import {
  countText,
  durationText,
  printable,
  renderLine,
} from '../../../src/telemetry/terminal-text.ts';
import {
  at,
  callPiece,
  damaged,
  lonePiece,
  makeCall,
  makeProcess,
  processPiece,
  spanId,
  TRACE_ID,
  toolPiece,
  turnPiece,
  WORKLOAD,
} from '../../support/story-pieces.ts';
import { startTelemetry } from '../../support/telemetry-harness.ts';

const CONSOLE = { traces: { kind: 'console' } } as const;

function print(pieces: StoryPiece[], options: Partial<TelemetryOptions> = {}): string {
  const { telemetry, printed } = startTelemetry({ ...CONSOLE, ...options });
  for (const piece of pieces) {
    telemetry.piece(piece);
  }
  return printed();
}

const FAILING = makeProcess({
  ref: { pid: 4301, startNs: 9_500n },
  parentRef: WORKLOAD.root.ref,
  executable: '/usr/bin/grep',
  argv: ['grep', '-r', "it's", '.'],
  exit: { timeNs: at(1900), exitCode: 3 },
});

/** In the order they finish. */
const STORY: StoryPiece[] = [
  callPiece(),
  processPiece({
    ids: { traceId: TRACE_ID, spanId: spanId(5), parentSpanId: spanId(4) },
    process: FAILING,
    startNs: at(1300),
    endNs: at(1900),
  }),
  processPiece(),
  toolPiece(),
  callPiece(
    makeCall({
      startNs: at(2000),
      firstChunkNs: at(2100),
      endNs: at(2450),
      damage: damaged(['gap'], 1234),
    }),
    { ids: { traceId: TRACE_ID, spanId: spanId(6), parentSpanId: spanId(1) } },
  ),
  turnPiece({ calls: [makeCall(), makeCall()] }),
];

const GOLDEN = `\
claude-code  invoke_agent claude-code  2.5s  2,400 in (2,000 cached), 90 out
├─ chat claude-opus-4-1  1.2s  first chunk 311ms  1,200 in (1,000 cached), 45 out  end_turn
├─ execute_tool Bash  800ms
│  └─ bash  -c 'ls -a'  740ms  exit 0
│     └─ grep  -r 'it'\\''s' .  600ms  exit 3
└─ chat claude-opus-4-1  450ms  first chunk 100ms  1,200 in (1,000 cached), 45 out  end_turn  damaged: gap (1,234 bytes lost)
`;

describe('the tree of a trace', () => {
  it('stands in the order things began, below what they belong to', () => {
    assert.equal(print(STORY), GOLDEN);
  });

  it('is the same however its spans arrive before the root', () => {
    const [first, second, third, fourth, fifth, root] = STORY as [
      StoryPiece,
      StoryPiece,
      StoryPiece,
      StoryPiece,
      StoryPiece,
      StoryPiece,
    ];
    assert.equal(print([fifth, third, first, fourth, second, root]), GOLDEN);
  });

  it('is printed when the root is there, not before', () => {
    assert.equal(print(STORY.slice(0, -1)), '');
  });

  it('of a lone call is one line, at once', () => {
    assert.equal(
      print([lonePiece()]),
      'claude-code  chat claude-opus-4-1  1.2s  first chunk 311ms  1,200 in (1,000 cached), 45 out  end_turn\n',
    );
  });

  it('tells an error', () => {
    const { response: _, ...call } = makeCall({ error: { type: '429', message: 'Too\nmany' } });
    const { firstChunkNs: __, ...early } = call;
    assert.equal(
      print([lonePiece(early)]),
      'claude-code  chat claude-opus-4-1  1.2s  error 429: Too many\n',
    );
  });

  it('shows content only when that is on', () => {
    assert.equal(
      print([lonePiece()], { captureContent: 'SPAN_ONLY' }),
      'claude-code  chat claude-opus-4-1  1.2s  first chunk 311ms  1,200 in (1,000 cached), 45 out  end_turn\n' +
        '   > Which files are here?\n' +
        '   < Two: a and b.\n',
    );
  });

  it('is no wider than the terminal', () => {
    const text = print(STORY, { terminal: { write: () => {}, columns: () => 40 } });
    assert.equal(text, '');
    let narrow = '';
    print(STORY, {
      terminal: {
        write: (part) => {
          narrow += part;
        },
        columns: () => 40,
      },
    });
    const lines = narrow.trimEnd().split('\n');
    assert.equal(lines.length, 6);
    for (const line of lines) {
      assert.ok([...line].length <= 40, line);
    }
    assert.ok(lines[0]?.endsWith('…'));
  });

  it('is coloured only where that is wanted, and reads the same', () => {
    let coloured = '';
    print(STORY, {
      terminal: {
        write: (part) => {
          coloured += part;
        },
        isColoured: true,
      },
    });
    assert.ok(coloured.includes('\u001b[31mexit 3\u001b[39m'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are control characters.
    assert.equal(coloured.replace(/\u001b\[\d+m/g, ''), GOLDEN);
  });

  it("cannot be made to write to the terminal's controls", () => {
    const call = makeCall();
    const text = print([
      lonePiece({
        ...call,
        request: { ...call.request, model: 'a\u001b]0;owned\u0007b\u202ec\r\nd' },
      }),
    ]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there.
    assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(text));
    assert.equal(text.split('\n').length, 2);
  });

  it('of calls in an application trace is one each', () => {
    const parentSpanId = '00f067aa0ba902b7';
    const joined = (number: number) =>
      callPiece(makeCall({ traceparent: `00-${TRACE_ID}-${parentSpanId}-01` }), {
        ids: { traceId: TRACE_ID, spanId: spanId(number), parentSpanId },
      });
    assert.equal(
      print([joined(2), joined(3)])
        .trimEnd()
        .split('\n').length,
      2,
    );
  });

  it('without a root is printed at the end, and says so', async () => {
    const { telemetry, printed } = startTelemetry(CONSOLE);
    telemetry.piece(processPiece());
    telemetry.piece(toolPiece());
    assert.equal(printed(), '');
    await telemetry.shutdown();
    assert.equal(
      printed(),
      'claude-code  (the rest of this trace is not known)\n' +
        '└─ execute_tool Bash  800ms\n' +
        "   └─ bash  -c 'ls -a'  740ms  exit 0\n",
    );
  });

  it('without a root is printed when it waited long enough', () => {
    const { telemetry, printed } = startTelemetry(CONSOLE);
    telemetry.piece(toolPiece());
    telemetry.tick(at(2000) + 899n * 1_000_000_000n);
    assert.equal(printed(), '');
    telemetry.tick(at(2000) + 902n * 1_000_000_000n);
    assert.match(printed(), /the rest of this trace is not known/);
  });

  it('gets what ends after its root at once', () => {
    const { telemetry, printed } = startTelemetry(CONSOLE);
    telemetry.piece(turnPiece());
    const before = printed().length;
    telemetry.piece(processPiece());
    assert.equal(
      printed().slice(before),
      "claude-code  (later in a trace shown before)\n└─ bash  -c 'ls -a'  740ms  exit 0\n",
    );
  });

  it('keeps no more traces and spans than its limits', () => {
    const { telemetry, printed } = startTelemetry({
      ...CONSOLE,
      limits: { maxTreeTraces: 2, maxTreeSpans: 3 },
    });
    for (let trace = 1; trace <= 3; trace++) {
      telemetry.piece(
        callPiece(makeCall(), {
          ids: { traceId: String(trace).repeat(32), spanId: spanId(2), parentSpanId: spanId(1) },
        }),
      );
    }
    assert.match(printed(), /the rest of this trace is not known/);
    for (let number = 10; number < 15; number++) {
      telemetry.piece(
        callPiece(makeCall(), {
          ids: { traceId: '3'.repeat(32), spanId: spanId(number), parentSpanId: spanId(1) },
        }),
      );
    }
    telemetry.piece(turnPiece({ ids: { traceId: '3'.repeat(32), spanId: spanId(1) } }));
    assert.match(printed(), /\(3 more spans not shown\)/);
    assert.deepEqual(telemetry.stats().tree, { trees: 2, evictedTraces: 1, omittedSpans: 3 });
  });

  it('is not printed when traces go nowhere', () => {
    const { telemetry, printed } = startTelemetry();
    telemetry.piece(lonePiece());
    assert.equal(printed(), '');
  });
});

describe('terminal text', () => {
  const durations: [ms: number, text: string][] = [
    [0, '0µs'],
    [0.0126, '13µs'],
    [0.9994, '999µs'],
    [12.4, '12ms'],
    [999.4, '999ms'],
    [999.6, '1.0s'],
    [59_940, '59.9s'],
    [59_960, '1m00s'],
    [125_000, '2m05s'],
  ];
  for (const [ms, text] of durations) {
    it(`writes ${ms} ms as ${text}`, () => {
      assert.equal(durationText(BigInt(Math.round(ms * 1e6))), text);
    });
  }

  it('sets thousands apart', () => {
    assert.deepEqual([0, 999, 1000, 1234567].map(countText), ['0', '999', '1,000', '1,234,567']);
  });

  it('counts wide characters as two columns', () => {
    assert.equal(renderLine([{ text: '日本語' }], 6, false), '日本語');
    assert.equal(renderLine([{ text: '日本語' }], 5, false), '日本…');
    assert.equal(renderLine([{ text: 'ab' }, { text: 'cd' }], 3, false), 'ab…');
  });

  it('keeps letters of every script', () => {
    assert.equal(printable('Grüße, 世界\tעברית'), 'Grüße, 世界 עברית');
  });
});
