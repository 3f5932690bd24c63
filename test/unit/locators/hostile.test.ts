/** Files that are not what they seem: a reason, and nothing worse. */
import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { loadBinding } from '../../../src/capture/binding.ts';
import { createSubjectBuilder, type SubjectBuilder } from './subjects.ts';

describe('locators and hostile files', function () {
  this.timeout(60_000);
  let subjects: SubjectBuilder;
  let program: Buffer;

  before(() => {
    subjects = createSubjectBuilder();
    program = readFileSync(subjects.build('program', 'boringssl.c').path);
  });
  after(() => subjects?.remove());

  function codeOf(bytes: Uint8Array | string): string | undefined {
    const path = subjects.write('libssl.so', bytes);
    try {
      loadBinding().locateSync(path);
      return undefined;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      assert.doesNotMatch(message, /\n/);
      return code;
    }
  }

  function changed(at: number, bytes: number[]): Buffer {
    const copy = Buffer.from(program);
    copy.set(bytes, at);
    return copy;
  }

  it('refuses text, an empty file and a folder', () => {
    assert.equal(codeOf('/* GNU ld script */\nGROUP ( libssl.so.3 )\n'), 'SL_ELF_NOT_ELF');
    assert.equal(codeOf(''), 'SL_ELF_NOT_ELF');
    assert.throws(() => loadBinding().locateSync(subjects.folder), { code: 'SL_ELF_OPEN' });
    assert.throws(() => loadBinding().locateSync(`${subjects.folder}/none`), {
      code: 'SL_ELF_OPEN',
    });
  });

  it('refuses other machines', () => {
    assert.equal(codeOf(changed(4, [1])), 'SL_ELF_UNSUPPORTED');
    assert.equal(codeOf(changed(5, [2])), 'SL_ELF_UNSUPPORTED');
    assert.equal(codeOf(changed(18, [process.arch === 'x64' ? 183 : 62, 0])), 'SL_ELF_UNSUPPORTED');
    // An object file.
    assert.equal(codeOf(changed(16, [1, 0])), 'SL_ELF_UNSUPPORTED');
  });

  it('refuses more headers than there can be', () => {
    const sections = Number(program.readBigUInt64LE(40));
    const copy = changed(60, [0, 0]);
    copy.writeBigUInt64LE(1n << 40n, sections + 32);
    assert.equal(codeOf(copy), 'SL_ELF_TOO_LARGE');
    assert.equal(codeOf(changed(40, [255, 255, 255, 255, 255, 255, 255, 255])), 'SL_ELF_MALFORMED');
    assert.equal(codeOf(changed(32, [255, 255, 255, 255, 255, 255, 255, 255])), 'SL_ELF_MALFORMED');
  });

  it('survives a cut at any place', () => {
    for (let bytes = 0; bytes < program.length; bytes += 97) {
      assert.ok(codeOf(program.subarray(0, bytes))?.startsWith('SL_ELF_'), `${bytes} bytes`);
    }
  });

  it('names no place outside of the file, whatever is changed in it', () => {
    const changes = fc.array(
      fc.record({
        at: fc.nat({ max: program.length - 8 }),
        value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    const inHeaders = fc.array(
      fc.record({ at: fc.nat({ max: 1024 }), value: fc.constantFrom(0n, 1n, (1n << 63n) - 1n) }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(changes, inHeaders, (anywhere, headers) => {
        const copy = Buffer.from(program);
        for (const { at, value } of [...anywhere, ...headers]) {
          copy.writeBigUInt64LE(value, at);
        }
        const path = subjects.write('changed', copy);
        try {
          for (const { functions } of loadBinding().locateSync(path).stacks) {
            for (const { offset, functionOffset } of functions) {
              assert.ok(offset < copy.length && functionOffset < copy.length);
            }
          }
        } catch (error) {
          assert.match(String((error as NodeJS.ErrnoException).code), /^SL_ELF_/);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('survives a file that shrinks while it is searched', async () => {
    const path = subjects.write('shrinking', program);
    // A large hole is quick to make and slow to search.
    truncateSync(path, 512 * 1024 * 1024);
    const header = Buffer.from(program);
    const segments = Number(header.readBigUInt64LE(32));
    for (let i = 0; i < header.readUInt16LE(56); i++) {
      const at = segments + i * 56;
      if (header.readUInt32LE(at) === 1) {
        header.writeBigUInt64LE(500n * 1024n * 1024n, at + 32);
      }
    }
    writeFileSync(path, header, { flag: 'r+' });
    truncateSync(path, 512 * 1024 * 1024);
    const searching = loadBinding().locate(path);
    truncateSync(path, program.length);
    const outcome = await searching.then(
      ({ isComplete }) => isComplete,
      (error: NodeJS.ErrnoException) => error.code,
    );
    assert.ok(outcome === false || outcome === 'SL_ELF_MALFORMED', String(outcome));
  });

  it('gives up in time', () => {
    const path = subjects.write('slow', program);
    truncateSync(path, 1024 * 1024 * 1024);
    const header = Buffer.from(program);
    const segments = Number(header.readBigUInt64LE(32));
    for (let i = 0; i < header.readUInt16LE(56); i++) {
      const at = segments + i * 56;
      if (header.readUInt32LE(at) === 1) {
        header.writeBigUInt64LE(1000n * 1024n * 1024n, at + 32);
      }
    }
    writeFileSync(path, header, { flag: 'r+' });
    const startNs = process.hrtime.bigint();
    const { isComplete, refusals } = loadBinding().locateSync(path, { timeMs: 20 });
    assert.equal(isComplete, false);
    assert.match(refusals.at(-1)?.reason ?? '', /limits allow/);
    assert.ok(process.hrtime.bigint() - startNs < 5_000_000_000n);
  });
});
