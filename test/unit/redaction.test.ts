/** What SIGHTLINE_REDACT adds to the built-in rules, in texts, arguments and recorded bytes. */
import assert from 'node:assert/strict';
import { loadConfig } from '../../src/config/load.ts';
import { createRedaction } from '../../src/redaction.ts';
import { maskPlaces } from '../../src/util/key-shapes.ts';

const redaction = (text: string) => createRedaction(loadConfig({ SIGHTLINE_REDACT: text }));

describe('redaction', () => {
  const ours = redaction('email,/ACME-[0-9]{5,}/,/größe [0-9]+/i,/hunter./');

  it('masks what the patterns find beside what the rules do', () => {
    assert.equal(
      ours.text('ACME-12345 of a@b.example, GRÖSSE 5, Größe 42, --token hunter2'),
      `${'*'.repeat(10)} of ${'*'.repeat(11)}, GRÖSSE 5, ${'*'.repeat(8)}, --token ${'*'.repeat(7)}`,
    );
    assert.deepEqual(ours.argv(['run', '--for=ACME-12345', '--token', 'abc']), [
      'run',
      `--for=${'*'.repeat(10)}`,
      '--token',
      '***',
    ]);
  });

  it('masks in bytes what it masks in text', () => {
    const text = 'é ACME-12345 €😀 größe 42 ü\ud83d';
    const latin1 = Buffer.from(text).toString('latin1');
    const find = ours.inBytes;
    assert.ok(find);
    const masked = Buffer.from(maskPlaces(latin1, find(latin1)), 'latin1').toString();
    assert.equal(masked, `é ${'*'.repeat(10)} €😀 ${'*'.repeat(10)} ü\ufffd`);
    // A character cut in two, and bytes that are none.
    const broken = `\x9f\x98 ACME-12345 \xff\xc3 ACME-12345 \xe2\x82`;
    assert.equal(
      maskPlaces(broken, find(broken)),
      `\x9f\x98 ${'*'.repeat(10)} \xff\xc3 ${'*'.repeat(10)} \xe2\x82`,
    );
  });

  it('adds nothing to bytes when nothing is set', () => {
    assert.equal(createRedaction(loadConfig({})).inBytes, undefined);
  });

  it('takes bearable time, whatever the pattern', () => {
    const evil = redaction('/(a+)+$/,/(a|aa)*b/,/(.*)(.*)(.*)x$/,/([a-z]+)*[0-9]{900}/,/a.*b|a/');
    const startMs = performance.now();
    evil.text('a'.repeat(65_536));
    evil.text(`${'a'.repeat(65_000)}!`);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < 8000, `${tookMs} ms`);
  });

  it('masks all that follows in a text with very many matches', () => {
    const masked = redaction('/q/').text('q-'.repeat(5000));
    assert.equal(masked.length, 10_000);
    assert.ok(masked.startsWith('*-*-') && masked.endsWith('****'));
  });
});
