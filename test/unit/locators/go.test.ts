/** Go's function table in each of its forms, in a program without symbols. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { loadBinding, type NativeLocations } from '../../../src/capture/binding.ts';
import { createSubjectBuilder, type SubjectBuilder } from './subjects.ts';

const RETURN = 0xc3;

describe('locator of Go programs', function () {
  this.timeout(60_000);
  let subjects: SubjectBuilder;

  before(function () {
    if (process.arch !== 'x64') {
      this.skip();
    }
    subjects = createSubjectBuilder();
  });
  after(() => subjects?.remove());

  function build(format: number, ...more: string[]): NativeLocations & Record<'at', number[]> {
    const { path, offsets } = subjects.build(`go-${format}`, 'go.S', {
      flags: ['-nostdlib', '-no-pie', `-DFORMAT=${format}`, ...more],
      functions: ['go_read', 'go_write'],
    });
    const found = loadBinding().locateSync(path);
    const bytes = readFileSync(path);
    for (const { returns } of found.stacks.flatMap(({ functions }) => functions)) {
      assert.ok(returns.every((offset) => bytes[offset] === RETURN));
    }
    return { ...found, at: [offsets.go_read ?? -1, offsets.go_write ?? -1] };
  }

  for (const [format, version, convention] of [
    [120, 'go1.26.8', 'go-register'],
    [116, 'go1.17', 'go-register'],
    [12, 'go1.14', 'go-stack'],
  ] as const) {
    it(`reads the table of ${version}`, () => {
      const { stacks, refusals, at } = build(format);
      assert.deepEqual(refusals, []);
      const [stack] = stacks;
      assert.equal(stack?.stack, 'go');
      assert.equal(stack?.version, version);
      assert.equal(stack?.convention, convention);
      assert.deepEqual(
        stack?.functions.map(({ name, functionOffset, returns }) => [
          name,
          functionOffset,
          returns.length,
        ]),
        [
          ['crypto/tls.(*Conn).Read', at[0], 2],
          ['crypto/tls.(*Conn).Write', at[1], 1],
        ],
      );
      for (const { instruction, isEmulated, canReturnProbe } of stack?.functions ?? []) {
        assert.match(instruction ?? '', /^jbe/);
        assert.equal(isEmulated, true);
        assert.equal(canReturnProbe, false);
      }
    });
  }

  for (const [form, value] of [
    ['SUM', '[rsp+16] + rax'],
    ['SHARED', undefined],
    ['LOOP', undefined],
    ['CONSTANT', undefined],
    ['OUTSIDE', undefined],
  ] as const) {
    it(`knows the result before the return only where that is sure: ${form}`, () => {
      const { stacks } = build(120, `-DRESULT=${form}`);
      const write = stacks[0]?.functions[1];
      if (value === undefined) {
        assert.deepEqual(write?.results, []);
        assert.match(write?.returnsWhy ?? '', /^no emulated instruction/);
        return;
      }
      const [result, ...others] = write?.results ?? [];
      assert.deepEqual(others, []);
      assert.equal(result?.value, value);
      assert.match(result?.instruction ?? '', /^jnz/);
      assert.deepEqual(result?.covers, write?.returns);
    });
  }

  it('refuses two functions of one name', () => {
    const { stacks, refusals } = build(120, '-DTWICE');
    assert.deepEqual(stacks, []);
    assert.match(refusals[0]?.reason ?? '', /exactly one Read and one Write/);
  });
});
