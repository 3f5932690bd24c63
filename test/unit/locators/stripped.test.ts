/** Stacks in programs without symbols: found exactly where the compiler put them, or refused with the reason. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type LocatedStack, loadBinding } from '../../../src/capture/binding.ts';
import { createSubjectBuilder, type Subject, type SubjectBuilder } from './subjects.ts';

const POSITIONS: Record<string, string[]> = {
  'loaded anywhere': ['-pie', '-fPIE'],
  'at a fixed address': ['-no-pie', '-fno-pie'],
  // As GNU ld did before 2.31: one segment for code and constants.
  'with constants beside the code': ['-pie', '-fPIE', '-Wl,-z,noseparate-code'],
  'at a fixed address, with constants beside the code': [
    '-no-pie',
    '-fno-pie',
    '-Wl,-z,noseparate-code',
  ],
  'without unwind entries': ['-pie', '-fPIE', '-fno-asynchronous-unwind-tables'],
};

function only(subject: Subject): LocatedStack {
  const { stacks, refusals } = loadBinding().locateSync(subject.path);
  assert.deepEqual(refusals, []);
  assert.equal(stacks.length, 1);
  return stacks[0] as LocatedStack;
}

function refusal(subject: Subject): string {
  const { stacks, refusals } = loadBinding().locateSync(subject.path);
  assert.deepEqual(stacks, []);
  assert.equal(refusals.length, 1);
  return refusals[0]?.reason ?? '';
}

function functionOffsets(stack: LocatedStack): Record<string, number> {
  return Object.fromEntries(stack.functions.map((one) => [one.name, one.functionOffset]));
}

describe('locators of stripped stacks', function () {
  this.timeout(60_000);
  let subjects: SubjectBuilder;

  before(function () {
    if (process.arch !== 'x64') {
      this.skip();
    }
    subjects = createSubjectBuilder();
  });
  after(() => subjects?.remove());

  for (const [position, flags] of Object.entries(POSITIONS)) {
    it(`10. a release elsewhere in the file is found: BoringSSL's SSL_read and SSL_write, ${position}`, () => {
      const subject = subjects.build('boringssl', 'boringssl.c', {
        flags,
        functions: ['SSL_read', 'SSL_write'],
      });
      const stack = only(subject);
      assert.equal(stack.stack, 'boringssl');
      assert.equal(stack.locatedBy, 'error-calls');
      assert.deepEqual(functionOffsets(stack), subject.offsets);
    });

    it(`finds where BoringSSL notes errors and verifies certificates, ${position}`, () => {
      for (const distance of [68, 76]) {
        const subject = subjects.build(`boringssl-verify-${distance}`, 'boringssl.c', {
          flags: [...flags, `-DVERIFY=${distance}`],
          functions: ['SSL_read', 'SSL_write', 'ERR_put_error', 'X509_verify_cert'],
        });
        const { X509_verify_cert, ...others } = subject.offsets;
        assert.deepEqual(functionOffsets(only(subject)), {
          ...others,
          [`X509_verify_cert+${distance}`]: X509_verify_cert,
        });
      }
    });

    it(`finds OpenSSL 3 by the names in its errors, ${position}`, () => {
      const subject = subjects.build('openssl3', 'openssl.c', {
        flags: [...flags, '-DMAJOR=3'],
        functions: ['ssl_read_internal', 'ssl_write_internal'],
      });
      const stack = only(subject);
      assert.equal(stack.locatedBy, 'function-names');
      assert.deepEqual(functionOffsets(stack), subject.offsets);
      assert.deepEqual(
        stack.functions.map(({ signature, covers }) => [signature, covers]),
        [
          ['SSL_read_ex', ['SSL_read', 'SSL_read_ex']],
          ['SSL_write_ex', ['SSL_write', 'SSL_write_ex']],
        ],
      );
    });

    it(`finds OpenSSL 1.1.1 by the numbers in its errors, ${position}`, () => {
      const subject = subjects.build('openssl1', 'openssl.c', {
        flags: [...flags, '-DMAJOR=1'],
        functions: ['ssl_read_internal', 'ssl_write_internal'],
      });
      const stack = only(subject);
      assert.equal(stack.locatedBy, 'function-numbers');
      assert.deepEqual(functionOffsets(stack), subject.offsets);
    });

    it(`finds rustls's ciphers and what cuts data into records, ${position}`, () => {
      const subject = subjects.build('rustls', 'rustls.c', {
        flags,
        functions: ['send_appdata_encrypt', 'decrypt_12', 'decrypt_13', 'encrypt_12', 'encrypt_13'],
      });
      assertRustls(only(subject), subject, true);
    });
  }

  function assertRustls(stack: LocatedStack, { offsets }: Subject, hasFragmenter: boolean): void {
    assert.equal(stack.stack, 'rustls');
    assert.equal(stack.version, '0.23.40');
    const found = (kind: string): number[] =>
      stack.functions
        .filter(({ signature }) => signature === kind)
        .map(({ functionOffset }) => functionOffset)
        .sort((left, right) => left - right);
    assert.deepEqual(found('MessageDecrypter::decrypt'), [offsets.decrypt_12, offsets.decrypt_13]);
    assert.deepEqual(found('MessageEncrypter::encrypt'), [offsets.encrypt_12, offsets.encrypt_13]);
    assert.deepEqual(
      found('CommonState::send_appdata_encrypt'),
      hasFragmenter ? [offsets.send_appdata_encrypt] : [],
    );
  }

  const RUSTLS = ['send_appdata_encrypt', 'decrypt_12', 'decrypt_13', 'encrypt_12', 'encrypt_13'];

  it('reads addresses from packed relocations, too', () => {
    const subject = subjects.build('rustls-packed', 'rustls.c', {
      flags: ['-pie', '-fPIE', '-Wl,-z,pack-relative-relocs'],
      functions: RUSTLS,
    });
    const sections = execFileSync('readelf', ['-SW', subject.path], { encoding: 'utf8' });
    assert.match(sections, /\.relr\.dyn/);
    assertRustls(only(subject), subject, true);
  });

  it('finds the ciphers of a rustls that tells nothing about its fragmenter', () => {
    const subject = subjects.build('rustls-older', 'rustls.c', {
      flags: ['-DNO_FRAGMENTER', '-Wno-unused-variable'],
      functions: RUSTLS,
    });
    assertRustls(only(subject), subject, false);
  });

  it('finds constants beside the code without section headers, too', () => {
    const subject = subjects.build('headerless', 'openssl.c', {
      flags: ['-DMAJOR=1', '-Wl,-z,noseparate-code'],
      functions: ['ssl_read_internal', 'ssl_write_internal'],
    });
    const bytes = readFileSync(subject.path);
    // e_shoff, and e_shnum with e_shstrndx.
    bytes.fill(0, 40, 48);
    bytes.fill(0, 60, 64);
    const path = subjects.write('headerless', bytes);
    assert.deepEqual(functionOffsets(only({ ...subject, path })), subject.offsets);
  });

  it('tells the write function with flags from the one without', () => {
    const subject = subjects.build('openssl3-flags', 'openssl.c', {
      flags: ['-DMAJOR=3', '-DWITH_FLAGS'],
      functions: ['ssl_write_internal'],
    });
    const write = only(subject).functions[1];
    assert.equal(write?.name, 'ssl_write_internal_flags');
    assert.equal(write?.signature, 'SSL_write_ex2');
    assert.equal(write?.functionOffset, subject.offsets.ssl_write_internal);
  });

  it('refuses two functions that both look like SSL_write, and names them', () => {
    const subject = subjects.build('twice', 'boringssl.c', { flags: ['-DTWICE'] });
    assert.match(refusal(subject), /for SSL_write 0x[0-9a-f]+, 0x[0-9a-f]+,/);
  });

  it('leaves out a verification that keeps its results in two places', () => {
    const subject = subjects.build('boringssl-elsewhere', 'boringssl.c', {
      flags: ['-DVERIFY=68', '-DELSEWHERE'],
      functions: ['SSL_read', 'SSL_write', 'ERR_put_error'],
    });
    assert.deepEqual(functionOffsets(only(subject)), subject.offsets);
  });

  it('refuses a BoringSSL without SSL_write', () => {
    const subject = subjects.build('missing', 'boringssl.c', { flags: ['-DMISSING'] });
    assert.match(refusal(subject), /for SSL_write none/);
  });

  it('refuses a rustls with a decrypter too many', () => {
    const subject = subjects.build('uneven', 'rustls.c', { flags: ['-DUNEVEN'] });
    assert.match(refusal(subject), /2 decrypt, 1 encrypt/);
  });

  it('takes a file of another project with the same function names for nothing', () => {
    const subject = subjects.build('other', 'openssl.c', {
      flags: ['-DMAJOR=3', '-DSOURCE_FILE="other/tls.c"'],
    });
    const { stacks, refusals } = loadBinding().locateSync(subject.path);
    assert.deepEqual([stacks, refusals], [[], []]);
  });
});
