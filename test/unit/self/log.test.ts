import assert from 'node:assert/strict';
import { createLog, createSilentLog, type LogOptions } from '../../../src/self/log.ts';

function logInto(lines: string[], options: Partial<LogOptions> = {}) {
  return createLog({
    level: 'info',
    format: 'text',
    write: (line) => lines.push(line),
    now: () => 1_700_000_000_000,
    ...options,
  });
}

describe('the own log', () => {
  it('writes one readable line with its fields', () => {
    const lines: string[] = [];
    logInto(lines).warn('the endpoint refuses', {
      url: 'http://h:1',
      tries: 3,
      at: 7n,
      why: 'a b',
    });
    assert.deepEqual(lines, [
      '2023-11-14T22:13:20.000Z warning: the endpoint refuses url=http://h:1 tries=3 at=7 why="a b"\n',
    ]);
  });

  it('lets nothing move the cursor or begin a second line', () => {
    const lines: string[] = [];
    logInto(lines).info('a\r\nb\u001b[2Jc\u2028d', { x: 'e\nf' });
    assert.deepEqual(lines, ['2023-11-14T22:13:20.000Z info: a b [2Jc d x="e f"\n']);
  });

  it('writes JSON lines on request', () => {
    const lines: string[] = [];
    logInto(lines, { format: 'json' }).error('x', { n: 5n });
    assert.equal(lines.length, 1);
    const { level, msg, n } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual({ level, msg, n }, { level: 50, msg: 'x', n: '5' });
  });

  it('obeys every level', () => {
    const expected = {
      none: '',
      error: 'e',
      warn: 'ew',
      info: 'ewi',
      debug: 'ewid',
      verbose: 'ewidv',
      all: 'ewidv',
    } as const;
    for (const [level, letters] of Object.entries(expected)) {
      const lines: string[] = [];
      const log = logInto(lines, { level: level as keyof typeof expected });
      log.error('e');
      log.warn('w');
      log.info('i');
      log.debug('d');
      log.verbose('v');
      const seen = lines.map((line) => line.trim().at(-1)).join('');
      assert.equal(seen, letters, level);
    }
  });

  it('holds back a repeated warning and says how many there were', () => {
    const lines: string[] = [];
    let nowMs = 0;
    const log = logInto(lines, { now: () => nowMs, quietMs: 1000 });
    for (let i = 0; i < 24; i += 1) {
      log.warnSometimes('drops', 'events were dropped');
    }
    log.warnSometimes('other', 'another topic');
    assert.equal(lines.length, 2);
    nowMs = 1000;
    log.warnSometimes('drops', 'events were dropped');
    assert.match(lines[2] ?? '', /events were dropped heldBack=23\n$/);
    nowMs = 2000;
    log.warnSometimes('drops', 'events were dropped');
    assert.match(lines[3] ?? '', /events were dropped\n$/);
  });

  it('does not grow with topics', () => {
    const lines: string[] = [];
    const log = logInto(lines);
    for (let i = 0; i < 10_000; i += 1) {
      log.warnSometimes(`topic ${i}`, 'x');
    }
    assert.ok(lines.length <= 256);
  });

  it('shows a stack at debug level only', () => {
    const quiet: string[] = [];
    logInto(quiet).trouble('bug', new Error('x'));
    assert.deepEqual(quiet, []);
    const loud: string[] = [];
    logInto(loud, { level: 'debug' }).trouble('bug', new Error('x'));
    assert.match(loud.join(''), /debug: bug\n {4}Error: x\n {4}at /);
  });

  it('can be silent', () => {
    createSilentLog().error('nobody hears this');
  });
});
