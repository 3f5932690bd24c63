/** Locating functions by name in ELF files, honest and hostile. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { loadBinding } from '../../../src/capture/binding.ts';
import { buildElf, CODE_BYTES, CODE_OFFSET, type ElfOptions, sectionsOffset } from './elf-file.ts';

const ADDON = fileURLToPath(new URL('../../../build/Release/sightline.node', import.meta.url));
const NAMES = ['SSL_read', 'SSL_write'];

describe('ELF symbols', () => {
  let folder: string;
  let path: string;

  before(function () {
    if (!existsSync(ADDON)) {
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), 'sightline-elf-'));
    path = join(folder, 'file');
  });

  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function locate(file: Buffer | string, names: string[] = NAMES) {
    writeFileSync(path, file);
    return loadBinding().locateSymbols(path, names);
  }

  function codeFor(file: Buffer | string): string | undefined {
    try {
      locate(file);
    } catch (error) {
      assert.ok(error instanceof Error);
      assert.ok(error.message.includes(path));
      assert.ok(!error.message.includes('\n'));
      return (error as Error & { code: string }).code;
    }
    return undefined;
  }

  function changed(change: (file: Buffer) => void, options: ElfOptions = full()): Buffer {
    const file = buildElf(options);
    change(file);
    return file;
  }

  function full(): ElfOptions {
    return {
      dynamic: [
        { name: 'SSL_read', value: BigInt(CODE_OFFSET) },
        { name: 'SSL_write', value: BigInt(CODE_OFFSET) + 64n },
      ],
      buildId: Buffer.from('00ff10', 'hex'),
    };
  }

  it('turns addresses into file offsets and reads the build id', () => {
    const slide = 0x40_0000n;
    const options: ElfOptions = {
      dynamic: [{ name: 'SSL_read', value: BigInt(CODE_OFFSET) + slide + 16n }],
      static: [{ name: 'SSL_write', value: BigInt(CODE_OFFSET) + slide + 32n, binding: 'local' }],
      buildId: Buffer.from('0123456789abcdef', 'hex'),
      slide,
    };
    assert.deepEqual(locate(buildElf(options)), {
      buildId: '0123456789abcdef',
      offsets: { SSL_read: CODE_OFFSET + 16, SSL_write: CODE_OFFSET + 32 },
    });
  });

  it('agrees with nm on a real library', function () {
    const [library] = ['x86_64', 'aarch64']
      .map((machine) => `/usr/lib/${machine}-linux-gnu/libssl.so.3`)
      .filter(existsSync);
    if (library === undefined) {
      this.skip();
    }
    const { offsets, buildId } = loadBinding().locateSymbols(library, [...NAMES, 'SSL_free', 'no']);
    const listed = execFileSync('nm', ['-D', '--defined-only', library], { encoding: 'utf8' });
    for (const name of [...NAMES, 'SSL_free']) {
      const address = new RegExp(`^([0-9a-f]+) T ${name}(@|$)`, 'm').exec(listed)?.[1];
      // Debian links it so that addresses and file offsets are the same.
      assert.equal(offsets[name], Number.parseInt(address ?? '', 16));
    }
    assert.equal('no' in offsets, false);
    assert.match(buildId ?? '', /^[0-9a-f]{40}$/);
  });

  it('leaves out what is undefined, no function, outside of code, or ambiguous', () => {
    const at = BigInt(CODE_OFFSET);
    const file = buildElf({
      dynamic: [
        { name: 'a', value: at, isUndefined: true },
        { name: 'b', value: at, type: 'object' },
        { name: 'c', value: at + BigInt(CODE_BYTES) },
        { name: 'd', value: at + 8n },
        { name: 'd', value: at + 16n },
        { name: 'e', value: at + 24n, binding: 'local' },
        { name: 'e', value: at + 32n, binding: 'global' },
        { name: 'e', value: at + 40n, binding: 'weak' },
        { name: 'longer-than-any-name-wanted', value: at },
        { name: 'f', value: at + 48n },
        { name: 'f', value: at + 48n },
      ],
    });
    const { offsets, buildId } = locate(file, ['a', 'b', 'c', 'd', 'e', 'f', 'longer']);
    assert.deepEqual(offsets, { e: CODE_OFFSET + 32, f: CODE_OFFSET + 48 });
    assert.equal(buildId, undefined);
  });

  it('refuses what is no ELF file of this machine', () => {
    assert.equal(codeFor(''), 'SL_ELF_NOT_ELF');
    assert.equal(codeFor('GROUP ( /lib/libssl.so.3 )\n'), 'SL_ELF_NOT_ELF');
    assert.equal(codeFor('\x7fELF'), 'SL_ELF_MALFORMED');
    assert.equal(codeFor(changed((file) => file.writeUInt8(1, 4))), 'SL_ELF_UNSUPPORTED');
    assert.equal(codeFor(changed((file) => file.writeUInt8(2, 5))), 'SL_ELF_UNSUPPORTED');
    assert.equal(codeFor(changed((file) => file.writeUInt16LE(8, 18))), 'SL_ELF_UNSUPPORTED');
    assert.equal(codeFor(changed((file) => file.writeUInt16LE(1, 16))), 'SL_ELF_UNSUPPORTED');
    const { locateSymbols } = loadBinding();
    for (const other of [folder, '/dev/zero', join(folder, 'none')]) {
      assert.throws(() => locateSymbols(other, NAMES), { code: 'SL_ELF_OPEN' });
    }
  });

  it('refuses sizes and places that the file does not have', () => {
    const huge = 2n ** 64n - 1n;
    const section = (index: number, field: number, value: bigint) =>
      changed((file) => file.writeBigUInt64LE(value, sectionsOffset(file) + 64 * index + field));
    const cases: [string, Buffer][] = [
      ['section headers at the end of time', changed((file) => file.writeBigUInt64LE(huge, 40))],
      ['program headers at the end of time', changed((file) => file.writeBigUInt64LE(huge, 32))],
      ['too many sections', changed((file) => file.writeUInt16LE(60_000, 60))],
      ['odd section size', changed((file) => file.writeUInt16LE(63, 58))],
      ['odd segment size', changed((file) => file.writeUInt16LE(55, 54))],
      ['symbols beyond the end', section(1, 24, huge)],
      ['names beyond the end', section(2, 24, huge)],
      ['odd symbol size', section(1, 56, 23n)],
      ['no symbol size', section(1, 56, 0n)],
    ];
    for (const [what, file] of cases) {
      assert.equal(codeFor(file), 'SL_ELF_MALFORMED', what);
    }
    const segments = changed((file) => file.writeUInt16LE(60_000, 56));
    assert.equal(codeFor(segments), 'SL_ELF_TOO_LARGE');
    assert.equal(codeFor(section(1, 32, huge)), 'SL_ELF_TOO_LARGE');
    assert.equal(codeFor(section(2, 32, huge)), 'SL_ELF_TOO_LARGE');
    const count = changed((file) => {
      file.writeUInt16LE(0, 60);
      file.writeBigUInt64LE(huge, sectionsOffset(file) + 32);
    });
    assert.equal(codeFor(count), 'SL_ELF_TOO_LARGE');
    const link = changed((file) => file.writeUInt32LE(99, sectionsOffset(file) + 64 + 40));
    assert.equal(codeFor(link), 'SL_ELF_MALFORMED');
    const itself = changed((file) => file.writeUInt32LE(1, sectionsOffset(file) + 64 + 40));
    assert.equal(codeFor(itself), 'SL_ELF_MALFORMED');
  });

  it('never names a place outside of a file’s code, whatever is done to the file', () => {
    const file = buildElf(full());
    const change = fc.record({
      at: fc.oneof(fc.nat(300), fc.nat(file.length - 1)),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(file.length), (changes, cut) => {
        const broken = Buffer.from(file);
        for (const { at, bytes } of changes) {
          broken.set(bytes.subarray(0, broken.length - at), at);
        }
        const kept = cut % 3 === 0 ? broken.subarray(0, cut) : broken;
        writeFileSync(path, kept);
        try {
          const { offsets } = loadBinding().locateSymbols(path, NAMES);
          for (const offset of Object.values(offsets)) {
            assert.ok(Number.isSafeInteger(offset) && offset >= 0 && offset < kept.length);
          }
        } catch (error) {
          assert.match((error as { code?: string }).code ?? String(error), /^SL_ELF_/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses wrong arguments', () => {
    const locateSymbols = loadBinding().locateSymbols as (...of: unknown[]) => unknown;
    for (const wrong of [[], [path], [1, NAMES], [path, 'SSL_read'], [path, [1]]]) {
      assert.throws(() => locateSymbols(...wrong), { code: 'SL_ARGUMENT' });
    }
  });
});
