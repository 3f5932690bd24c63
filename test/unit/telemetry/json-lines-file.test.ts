/** The OTLP JSON lines file: its lines, its mode, rotation, and writing that fails. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJsonLinesFile } from '../../../src/telemetry/json-lines-file.ts';
import { parseOtlpLines } from '../../support/otlp-file.ts';
import {
  callPiece,
  processPiece,
  spanId,
  toolPiece,
  turnPiece,
} from '../../support/story-pieces.ts';
import { startTelemetry } from '../../support/telemetry-harness.ts';

const encode = (text: string) => new TextEncoder().encode(text);

describe('a file of JSON lines', () => {
  let directory: string;
  let path: string;
  let notices: string[];
  const notice = (_level: string, message: string) => notices.push(message);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'json-lines-'));
    path = join(directory, 'out.jsonl');
    notices = [];
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is readable by its owner alone', () => {
    const file = createJsonLinesFile({ path }, notice);
    file.write(encode('{}'));
    file.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('belongs to whom it is made for, rotated or not; one that exists keeps its owner', function () {
    if (process.geteuid?.() !== 0) {
      this.skip();
    }
    const owner = { uid: 4711, gid: 4712 };
    const ownerOf = (name: string) => {
      const { uid, gid, mode } = statSync(name);
      return { uid, gid, mode: mode & 0o777 };
    };
    const file = createJsonLinesFile({ path, owner, maxBytes: 10 }, notice);
    file.write(encode('{"a":1}'));
    file.write(encode('{"b":2}'));
    file.close();
    assert.deepEqual(ownerOf(path), { ...owner, mode: 0o600 });
    assert.deepEqual(ownerOf(`${path}.1`), { ...owner, mode: 0o600 });
    const existing = join(directory, 'existing.jsonl');
    writeFileSync(existing, '');
    const link = join(directory, 'link.jsonl');
    symlinkSync(existing, link);
    for (const name of [existing, link]) {
      const other = createJsonLinesFile({ path: name, owner }, notice);
      other.write(encode('{}'));
      other.close();
    }
    assert.equal(readFileSync(existing, 'utf8'), '{}\n{}\n');
    assert.equal(ownerOf(existing).uid, 0);
    assert.deepEqual(notices, []);
  });

  it('keeps no descriptor of a file that cannot be written', () => {
    const full = createJsonLinesFile({ path: '/dev/full' }, notice);
    const missing = createJsonLinesFile({ path: join(directory, 'none', 'x') }, notice);
    const count = () => readdirSync('/proc/self/fd').length;
    full.write(encode('{}'));
    missing.write(encode('{}'));
    const before = count();
    for (let line = 0; line < 20; line += 1) {
      full.write(encode('{}'));
      missing.write(encode('{}'));
    }
    assert.equal(count(), before);
    full.close();
  });

  it('is not there before there is something to write', () => {
    createJsonLinesFile({ path }, notice).close();
    assert.equal(existsSync(path), false);
  });

  it('holds each line as soon as it is written', () => {
    const file = createJsonLinesFile({ path }, notice);
    file.write(encode('{"a":1}'));
    assert.equal(readFileSync(path, 'utf8'), '{"a":1}\n');
    file.write(encode('{"b":2}'));
    assert.equal(readFileSync(path, 'utf8'), '{"a":1}\n{"b":2}\n');
    file.close();
  });

  it('goes on behind what an earlier run wrote, also where that was cut off', () => {
    writeFileSync(path, '{"a":1}\n{"cut');
    const file = createJsonLinesFile({ path }, notice);
    file.write(encode('{"b":2}'));
    file.write(encode('{"c":3}'));
    file.close();
    assert.equal(readFileSync(path, 'utf8'), '{"a":1}\n{"cut\n{"b":2}\n{"c":3}\n');
  });

  it('is rotated before it grows beyond its limit, and keeps so many', () => {
    const file = createJsonLinesFile({ path, maxBytes: 20, maxRotated: 2 }, notice);
    for (let number = 1; number <= 7; number++) {
      file.write(encode(`{"n":${number}}`));
    }
    file.close();
    assert.equal(readFileSync(path, 'utf8'), '{"n":7}\n');
    assert.equal(readFileSync(`${path}.1`, 'utf8'), '{"n":5}\n{"n":6}\n');
    assert.equal(readFileSync(`${path}.2`, 'utf8'), '{"n":3}\n{"n":4}\n');
    assert.equal(existsSync(`${path}.3`), false);
    assert.deepEqual(file.stats(), { lines: 7, lostLines: 0, rotations: 3 });
  });

  it('takes a line larger than the limit whole', () => {
    const file = createJsonLinesFile({ path, maxBytes: 10, maxRotated: 1 }, notice);
    file.write(encode(`"${'x'.repeat(50)}"`));
    file.write(encode('{}'));
    file.close();
    assert.equal(readFileSync(`${path}.1`, 'utf8').length, 53);
    assert.equal(readFileSync(path, 'utf8'), '{}\n');
  });

  it('warns once when it cannot be written, counts, and goes on when it can', () => {
    const folder = join(directory, 'later');
    const file = createJsonLinesFile({ path: join(folder, 'out.jsonl') }, notice);
    file.write(encode('{"a":1}'));
    file.write(encode('{"b":2}'));
    assert.equal(notices.length, 1);
    assert.match(notices[0] ?? '', /cannot write .*later\/out\.jsonl: ENOENT/);
    mkdirSync(folder);
    file.write(encode('{"c":3}'));
    file.close();
    assert.match(notices[1] ?? '', /written again; 2 lines were lost/);
    assert.equal(readFileSync(join(folder, 'out.jsonl'), 'utf8'), '{"c":3}\n');
    assert.deepEqual(file.stats(), { lines: 1, lostLines: 2, rotations: 0 });
  });

  it('does not wait for a reader of a full device', function () {
    if (!existsSync('/dev/full')) {
      this.skip();
    }
    const file = createJsonLinesFile({ path: '/dev/full' }, notice);
    file.write(encode('{}'));
    file.close();
    assert.match(notices[0] ?? '', /ENOSPC/);
  });
});

describe('the OTLP JSON lines of a story', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'otlp-lines-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function write(name: string): Promise<string> {
    const path = join(directory, name);
    const { telemetry } = startTelemetry({ file: { path }, captureContent: 'SPAN_AND_EVENT' });
    for (const piece of [callPiece(), processPiece(), toolPiece(), turnPiece()]) {
      telemetry.piece(piece);
    }
    // Spans and events are there at once: a crash after this line would lose none.
    const atOnce = readFileSync(path, 'utf8');
    await telemetry.shutdown();
    assert.ok(readFileSync(path, 'utf8').startsWith(atOnce));
    return atOnce;
  }

  it('are one per span and event, and valid OTLP JSON', async () => {
    const text = await write('a.jsonl');
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, 5);
    const { spans, logs } = parseOtlpLines(text);
    assert.deepEqual(
      spans.map((span) => span.spanId),
      [spanId(2), spanId(4), spanId(3), spanId(1)],
    );
    assert.equal(logs.length, 1);
    assert.deepEqual(logs[0]?.attributes['gen_ai.output.messages'], [
      {
        role: 'assistant',
        parts: [{ type: 'text', content: 'Two: a and b.' }],
        finish_reason: 'stop',
      },
    ]);
    for (const line of lines) {
      const [only, ...more] = Object.keys(JSON.parse(line));
      assert.ok(only === 'resourceSpans' || only === 'resourceLogs');
      assert.deepEqual(more, []);
    }
  });

  it('are the same bytes in every run', async () => {
    const first = await write('a.jsonl');
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await write('b.jsonl'), first);
  });

  it('get the metrics at the end', async () => {
    const path = join(directory, 'm.jsonl');
    const { telemetry } = startTelemetry({ file: { path } });
    telemetry.piece(callPiece());
    await telemetry.shutdown();
    appendFileSync(path, '');
    const { points } = parseOtlpLines(readFileSync(path, 'utf8'));
    const names = points.map(({ metric }) => metric);
    assert.equal(names.filter((name) => name === 'gen_ai.client.operation.duration').length, 1);
    assert.equal(names.filter((name) => name === 'gen_ai.client.token.usage').length, 2);
  });
});
