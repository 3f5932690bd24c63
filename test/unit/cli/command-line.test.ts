import assert from 'node:assert/strict';
import { parseCommandLine } from '../../../src/cli/command-line.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { commandHelp, programHelp } from '../../../src/cli/help.ts';
import { SightlineError } from '../../../src/util/errors.ts';

function command(name: string) {
  const found = COMMANDS.find((each) => each.name === name);
  assert.ok(found);
  return found;
}

function refusal(name: string, words: readonly string[]): string {
  try {
    parseCommandLine(command(name), words);
  } catch (error) {
    assert.ok(error instanceof SightlineError);
    assert.equal(error.exitCode, 2);
    assert.ok(!error.message.includes('\n'));
    assert.match(error.message, new RegExp(`; see "sightline ${name} --help"$`));
    return error.message;
  }
  assert.fail('it was taken');
}

describe('the command line', () => {
  it('takes options, flags and words apart', () => {
    const line = parseCommandLine(command('replay'), ['--print', 'calls', 'a', '-h', 'b']);
    assert.deepEqual(line.values, { print: 'calls' });
    assert.deepEqual([...line.flags], ['help']);
    assert.deepEqual(line.positionals, ['a', 'b']);
    assert.equal(line.rest, undefined);
  });

  it('leaves everything after -- alone', () => {
    const line = parseCommandLine(command('exec'), ['--', 'curl', '-s', '--', '--help']);
    assert.deepEqual(line.rest, ['curl', '-s', '--', '--help']);
    assert.deepEqual(line.positionals, []);
    assert.equal(line.flags.size, 0);
  });

  it('takes short options and = values', () => {
    assert.deepEqual(parseCommandLine(command('record'), ['-o', 'x']).values, { output: 'x' });
    assert.deepEqual(parseCommandLine(command('record'), ['--output=x=y']).values, {
      output: 'x=y',
    });
  });

  it('refuses what the command does not have', () => {
    assert.match(refusal('run', ['--foo']), /^unknown option '--foo'/);
    assert.match(refusal('check', ['--print', 'calls']), /^unknown option '--print'/);
    assert.match(refusal('run', ['-x']), /^unknown option '-x'/);
    assert.match(refusal('run', ['--help=yes']), /help/);
    assert.match(refusal('run', ['--config']), /config/);
    assert.match(refusal('run', ['--config=']), /--config has an empty value/);
    assert.match(refusal('record', ['-o', 'a', '-o', 'b']), /--output is given 2 times/);
  });
});

describe('the help', () => {
  it('of the program names every command, exit code and the environment', () => {
    const text = programHelp(COMMANDS);
    for (const { name, summary } of COMMANDS) {
      assert.ok(text.includes(`  ${name} `) && text.includes(summary), name);
    }
    for (const code of ['0 ', '1 ', '2 ', '3 ', '125 ', '126 ', '127 ']) {
      assert.ok(text.includes(`\n  ${code}`), code);
    }
    assert.match(text, /SIGHTLINE_RING_BYTES=16MiB/);
  });

  it('of a command has its forms, options and examples, within 100 columns', () => {
    for (const each of COMMANDS) {
      const text = commandHelp(each);
      for (const form of each.usage) {
        assert.ok(text.includes(`sightline ${form}`));
      }
      for (const { name } of each.options) {
        assert.ok(text.includes(`--${name}`));
      }
      assert.ok(each.examples.length >= 2, `${each.name} has examples`);
      for (const { command: example } of each.examples) {
        assert.ok(text.includes(example));
      }
      for (const line of text.split('\n')) {
        assert.ok(line.length <= 100, line);
      }
    }
  });
});
