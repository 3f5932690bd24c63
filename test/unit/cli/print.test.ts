import assert from 'node:assert/strict';
import type { PrintStage } from '../../../src/cli/agent-surface.ts';
import { printLine } from '../../../src/cli/print.ts';
import { Damage } from '../../../src/util/damage.ts';

function printed(stage: PrintStage, value: unknown, showBodies = false): unknown {
  const line = printLine(stage, value, { showBodies });
  assert.ok(!line.includes('\n'));
  return JSON.parse(line);
}

describe('--print', () => {
  it('writes 64-bit numbers exactly, sets as lists, maps as objects', () => {
    const damage = new Damage();
    damage.add('gap', 7);
    assert.deepEqual(
      printed('exchanges', {
        timeNs: 2n ** 63n,
        damage,
        usage: new Map([['in', 1n]]),
        gone: undefined,
      }),
      {
        timeNs: '9223372036854775808',
        damage: { kinds: ['gap'], lostBytes: 7 },
        usage: { in: '1' },
      },
    );
  });

  it('keeps every name of the wire', () => {
    const value = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}');
    assert.equal(printLine('exchanges', value, { showBodies: false }), JSON.stringify(value));
  });

  it('shows bodies only while content is on', () => {
    const exchange = { body: Buffer.from('sécret "x"') };
    assert.deepEqual(printed('exchanges', exchange), { body: { byteCount: 11 } });
    assert.deepEqual(printed('exchanges', exchange, true), { body: 'sécret "x"' });
    assert.deepEqual(printed('exchanges', { body: Uint8Array.of(255, 0) }, true), {
      body: { base64: '/wA=' },
    });
  });

  it('never shows raw bytes, in which credentials still are', () => {
    const event = { type: 'data', bytes: Buffer.from('Authorization: Bearer sk-x') };
    for (const stage of ['events', 'streams'] as const) {
      assert.deepEqual(printed(stage, event, true), { type: 'data', bytes: { byteCount: 26 } });
    }
  });

  it('ends a line of ancestors after the process itself, and survives a circle', () => {
    const init = { key: '1@0', parent: undefined, parentRef: undefined };
    const shell = { key: '2@0', parent: init, parentRef: { pid: 1, startNs: 0n } };
    assert.deepEqual(printed('turns', { process: shell }), {
      process: { key: '2@0', parentRef: { pid: 1, startNs: '0' } },
    });
    const circle: Record<string, unknown> = { name: 'a' };
    circle.self = circle;
    assert.deepEqual(printed('turns', { circle, again: circle }), {
      circle: { name: 'a', self: '(circular)' },
      again: { name: 'a', self: '(circular)' },
    });
  });
});
