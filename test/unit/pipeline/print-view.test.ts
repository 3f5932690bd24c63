/** What `--print` shows of a call: no credential that a service quoted, and none that a key gives away. */
import assert from 'node:assert/strict';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { createPrinter } from '../../../src/print-view.ts';
import type { CallPiece } from '../../../src/session/story.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { CONVENTIONS } from '../../../src/telemetry/semconv.ts';

describe('a printed call with content off', () => {
  it("masks a key in the error's message", () => {
    const shown: unknown[] = [];
    const content = contentPolicy('NO_CONTENT', (text) =>
      text.replaceAll('sk-live-1', '*********'),
    );
    const print = { stage: 'calls', sink: (_stage: string, value: unknown) => shown.push(value) };
    const printer = createPrinter(print as never, content, CONVENTIONS['1.41'], 100);
    const request = { messages: [], systemInstructions: [], toolResults: [], toolDefinitions: [] };
    const error = { type: '401', message: 'Incorrect API key provided: sk-live-1' };
    const call = { request, error } as unknown as ModelCall;
    printer.piece({ kind: 'call', call } as CallPiece);
    assert.deepEqual((shown[0] as ModelCall).error, {
      type: '401',
      message: 'Incorrect API key provided: *********',
    });
  });
});

describe('a printed call with content on', () => {
  it('masks what a key of its JSON calls a secret, in arguments and in results', () => {
    const shown: unknown[] = [];
    const content = contentPolicy('SPAN_ONLY', (text) => text);
    const print = { stage: 'calls', sink: (_stage: string, value: unknown) => shown.push(value) };
    const printer = createPrinter(print as never, content, CONVENTIONS['1.41'], 100);
    const damage = { kinds: new Set(['gap']) };
    const call = {
      damage,
      startNs: 5n,
      request: {
        messages: [
          { role: 'a', parts: [{ type: 'tool_call', name: 'sh', arguments: { password: 'ab' } }] },
        ],
        toolResults: [{ id: '1', text: '{"password":"ab","n":1}' }],
      },
      response: { toolCalls: [{ name: 'sh', argumentsText: '{"password":"ab","n":1}' }] },
    } as unknown as ModelCall;
    printer.piece({ kind: 'call', call } as CallPiece);
    assert.deepEqual(shown[0], {
      damage,
      startNs: 5n,
      request: {
        messages: [
          { role: 'a', parts: [{ type: 'tool_call', name: 'sh', arguments: { password: '**' } }] },
        ],
        toolResults: [{ id: '1', text: '{"password":"**","n":1}' }],
      },
      response: { toolCalls: [{ name: 'sh', argumentsText: '{"password":"**","n":1}' }] },
    });
  });
});
