/** Which instruction is probed: cheap where the kernel emulates one in time, and never where a return would be lost. */
import assert from 'node:assert/strict';
import { type LocatedFunction, loadBinding } from '../../../src/capture/binding.ts';
import { createSubjectBuilder, type SubjectBuilder } from './subjects.ts';

describe('placement of probes', function () {
  this.timeout(60_000);
  let subjects: SubjectBuilder;

  before(function () {
    if (process.arch !== 'x64') {
      this.skip();
    }
    subjects = createSubjectBuilder();
  });
  after(() => subjects?.remove());

  it('judges every kind of beginning', () => {
    const { path } = subjects.build('placement.so', 'placement.S', {
      flags: ['-shared', '-nostdlib'],
      isStripped: false,
    });
    const stack = loadBinding().locateSync(path).stacks[0];
    const placed = Object.fromEntries(
      (stack?.functions ?? []).map((one) => [one.name, summary(one)]),
    );
    assert.deepEqual(placed, {
      SSL_read: 'entry +0 push rbx, emulated, return',
      SSL_write: 'after-endbr64 +4 push rbx, emulated, return',
      SSL_read_early_data: 'entry +0 sub rsp, 0x08, return',
      SSL_free: 'past-start +7 jz, emulated',
      SSL_ctrl: 'entry +0 movsxd rsi, esi, return',
      SSL_write_early_data: 'entry +0 mov rax, rdi, return',
      SSL_do_handshake: 'past-start +3 jz, emulated, return',
      SSL_read_ex: 'entry +0 mov rax, [rdi], return',
      SSL_write_ex2: 'entry +0 push r12, emulated, return',
      SSL_sendfile: 'entry +0 push 0x01, return',
    });
  });

  function summary(one: LocatedFunction): string {
    const text = one.instruction?.replace(/^(j\w+) .*/, '$1');
    const at = one.offset - one.functionOffset;
    const cheap = one.isEmulated ? ', emulated' : '';
    return `${one.chosen} +${at} ${text}${cheap}${one.canReturnProbe ? ', return' : ''}`;
  }

  function gnutls(form: string): readonly LocatedFunction[] {
    const { path } = subjects.build(`gnutls-${form}.so`, 'gnutls.S', {
      flags: ['-shared', '-nostdlib', `-DFORM=${form}`],
      isStripped: false,
    });
    return loadBinding().locateSync(path).stacks[0]?.functions ?? [];
  }

  for (const [form, entries, returns] of [
    ['JUMPS', ['jmp rdi, rdx, rcx, return'], 0],
    ['CALLS', ['call rdi, rdx, rcx', 'jmp rdi, rdx, rcx, return'], 1],
    ['SUCCEEDS', [], 0],
    ['LOSES', [], 0],
    ['TWICE', [], 0],
  ] as const) {
    it(`sees calls where they go on, if none is left out and none counts twice: ${form}`, () => {
      const receiving = gnutls(form).find(({ name }) => name === 'gnutls_record_recv');
      assert.equal(receiving?.isEmulated, false);
      assert.deepEqual(
        receiving.entries.map(
          ({ instruction, value, canReturnProbe }) =>
            `${instruction.split(' ', 1)[0]} ${value}${canReturnProbe ? ', return' : ''}`,
        ),
        entries,
      );
      assert.equal(receiving.returns.length, returns);
    });
  }

  it('leaves out a function that only jumps to another probed one, also through a stub', () => {
    const sending = gnutls('JUMPS').filter(({ name }) => name.includes('send'));
    assert.deepEqual(
      sending.map(({ name, covers }) => [name, covers]),
      [['gnutls_record_send2', ['gnutls_record_send', 'gnutls_record_send2']]],
    );
  });

  it('probes the internal function where the exported one begins with a moving stack pointer', () => {
    const { path, offsets } = subjects.build('libexported.so', 'openssl.c', {
      flags: ['-DMAJOR=3', '-shared', '-fPIC', '-Wl,-Bsymbolic'],
      functions: ['ssl_read_internal', 'ssl_write_internal', 'SSL_read'],
      isStripped: false,
    });
    const stack = loadBinding().locateSync(path).stacks[0];
    assert.equal(stack?.locatedBy, 'symbol');
    assert.deepEqual(
      stack?.functions.map(({ name, chosen, covers, offset }) => [name, chosen, covers, offset]),
      [
        ['ssl_read_internal', 'internal', ['SSL_read', 'SSL_read_ex'], offsets.ssl_read_internal],
        [
          'ssl_write_internal',
          'internal',
          ['SSL_write', 'SSL_write_ex'],
          offsets.ssl_write_internal,
        ],
      ],
    );
    assert.ok(stack?.functions.every((one) => one.isEmulated && one.canReturnProbe));
  });
});
