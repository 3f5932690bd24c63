/** A tool call's command in argv: quoting, wrapping, and what only looks like it. */
import assert from 'node:assert/strict';
import { commandTexts, comparableArgv, matchedChars } from '../../../src/session/command-text.ts';
import { maskArguments } from '../../../src/util/argument-secrets.ts';

function isFound(argumentsOfCall: unknown, ...argv: string[]): boolean {
  return (
    matchedChars(
      comparableArgv(maskArguments(argv)),
      commandTexts(JSON.stringify(argumentsOfCall)),
    ) > 0
  );
}

const cases: [name: string, isMatch: boolean, argumentsOfCall: unknown, argv: string[]][] = [
  ['whole argument', true, { command: 'ls -l' }, ['bash', '-c', 'ls -l']],
  ['split into arguments', true, { command: 'ls  -l' }, ['ls', '-l']],
  [
    'single quotes in eval',
    true,
    { command: "echo 'a b'" },
    ['sh', '-c', `eval 'echo '\\''a b'\\'''`],
  ],
  [
    'single quotes the other way',
    true,
    { command: "echo it's" },
    ['sh', '-c', `eval 'echo it'"'"'s'`],
  ],
  ['double quotes', true, { command: 'echo "$HOME"' }, ['sh', '-c', 'eval "echo \\"\\$HOME\\""']],
  ['several lines', true, { command: 'cat <<E\nx\nE' }, ['bash', '-lc', 'cat <<E\nx\nE\n']],
  ['argv as the command', true, { command: ['bash', '-lc', 'ls'] }, ['bash', '-lc', 'ls']],
  ['argv whose shell became the command', true, { command: ['bash', '-lc', 'ls x'] }, ['ls', 'x']],
  ['nested', true, { action: { cmd: 'date' } }, ['sh', '-c', 'date']],
  ['no command key', true, { pattern: 'TODO' }, ['rg', 'TODO', '/repo']],
  [
    'credentials, which are masked in argv',
    true,
    {
      command:
        'curl -H "Authorization: Bearer abc def" -u a:b http://h && TOKEN="x y" gh --auth-token t1 api',
    },
    [
      'bash',
      '-c',
      'eval "curl -H \\"Authorization: Bearer abc def\\" -u a:b http://h && TOKEN=\\"x y\\" gh --auth-token t1 api"',
    ],
  ],
  [
    'credentials in argv as the command',
    true,
    { command: ['gh', '--token', 'abc', 'x'] },
    ['gh', '--token', 'abc', 'x'],
  ],
  ['another command', false, { command: 'ls -l' }, ['bash', '-c', 'ls -a']],
  ['part of a word', false, { command: 'ls' }, ['bash', '-c', 'false']],
  ['part of a path', false, { command: 'ls' }, ['/bin/ls-helper']],
  ['short value of another key', false, { path: '.' }, ['find', '.']],
  [
    'working directory beside a command',
    false,
    { command: 'x1', cwd: '/repo' },
    ['git', '-C', '/repo'],
  ],
  ['nothing but quotes', false, { command: '""' }, ['sh', '-c', '""']],
  ['number', false, { command: 12 }, ['12']],
];

describe('the command of a tool call in argv', () => {
  for (const [name, isMatch, argumentsOfCall, argv] of cases) {
    it(`${isMatch ? 'is found' : 'is not found'}: ${name}`, () => {
      assert.equal(isFound(argumentsOfCall, ...argv), isMatch);
    });
  }

  it('is none where the arguments are no JSON', () => {
    assert.deepEqual(commandTexts('{"command": "ls'), []);
    assert.deepEqual(commandTexts(''), []);
    assert.deepEqual(commandTexts('null'), []);
  });

  it('is searched to a bounded depth and number', () => {
    const deep = JSON.parse(`${'['.repeat(50)}"a long text"${']'.repeat(50)}`);
    assert.deepEqual(commandTexts(JSON.stringify(deep)), []);
    const many = Array.from({ length: 100 }, (_, index) => `text ${index}`);
    assert.equal(commandTexts(JSON.stringify(many)).length, 16);
  });
});
