/** Credentials in arguments: masked at their length, and nothing else touched. */
import assert from 'node:assert/strict';
import { maskArguments, maskSecretsInText } from '../../../src/util/argument-secrets.ts';

/** Every `§` stands for one masked character. */
const CASES: [name: string, argv: string[], masked: string[]][] = [
  ['an option with =', ['x', '--api-key=abc123'], ['x', '--api-key=§§§§§§']],
  ['an option and its value', ['x', '--token', 'abc123', '-v'], ['x', '--token', '§§§§§§', '-v']],
  ['an option with a prefix', ['x', '--openai-api-key=def'], ['x', '--openai-api-key=§§§']],
  ['an option in camel case', ['x', '--authToken', 'def'], ['x', '--authToken', '§§§']],
  ['a value that looks like an option', ['x', '--password', '-abc'], ['x', '--password', '§§§§']],
  ['an option followed by another', ['x', '--token', '--verbose'], ['x', '--token', '--verbose']],
  ["curl's user", ['curl', '-u', 'ada:pw', 'http://h/'], ['curl', '-u', '§§§§§§', 'http://h/']],
  [
    "curl's user, joined",
    ['/bin/curl', '-sSu', 'a:b', '-uc:d'],
    ['/bin/curl', '-sSu', '§§§', '-u§§§'],
  ],
  [
    'the user behind sudo',
    ['sudo', '-u', 'me', 'curl', '-u', 'k:'],
    ['sudo', '-u', 'me', 'curl', '-u', '§§'],
  ],
  [
    'a user of any program',
    ['wget', '--user', 'a:b', '--user=x'],
    ['wget', '--user', '§§§', '--user=§'],
  ],
  [
    "mysql's password",
    ['mysql', '-uroot', '-psesame', 'db'],
    ['mysql', '-uroot', '-p§§§§§§', 'db'],
  ],
  [
    "sshpass's password",
    ['sshpass', '-p', 'open', 'ssh', 'h'],
    ['sshpass', '-p', '§§§§', 'ssh', 'h'],
  ],
  ["a registry's password", ['docker', 'login', '-p', 'x'], ['docker', 'login', '-p', '§']],
  ['no port', ['docker', 'run', '-p', '80:80'], ['docker', 'run', '-p', '80:80']],
  [
    'a header',
    ['curl', '-H', 'Authorization: Bearer abc.def', 'http://h/'],
    ['curl', '-H', 'Authorization: §§§§§§§§§§§§§§', 'http://h/'],
  ],
  ['a header of a vendor', ['curl', '-H', 'x-api-key: abc'], ['curl', '-H', 'x-api-key: §§§']],
  ['a header by its name', ['x', '-H', 'X-Functions-Key:a b'], ['x', '-H', 'X-Functions-Key:§§§']],
  [
    'a joined header',
    ['x', '--header=X-Auth-Key: a', '-HDD-API-KEY:b'],
    ['x', '--header=X-Auth-Key: §', '-HDD-API-KEY:§'],
  ],
  ['a header of a gateway', ['curl', '-H', 'X-Auth-Thing: a'], ['curl', '-H', 'X-Auth-Thing: §']],
  [
    'no header that only sounds so',
    ['x', '-H', 'Idempotency-Key: a'],
    ['x', '-H', 'Idempotency-Key: a'],
  ],
  ['no other header', ['curl', '-H', 'Accept: text/html'], ['curl', '-H', 'Accept: text/html']],
  ['an assignment', ['env', 'OPENAI_API_KEY=abc', 'node'], ['env', 'OPENAI_API_KEY=§§§', 'node']],
  ['an assignment to its end', ['env', 'PASSWORD=a;b&c', 'x'], ['env', 'PASSWORD=§§§§§', 'x']],
  ['a numbered variable', ['env', 'GITHUB_TOKEN_2=abc'], ['env', 'GITHUB_TOKEN_2=§§§']],
  [
    'a script',
    ['bash', '-c', 'OPENAI_API_KEY=sk-1 python x.py; echo done'],
    ['bash', '-c', 'OPENAI_API_KEY=§§§§ python x.py; echo done'],
  ],
  [
    'quoted text in a script, with its spaces',
    ['bash', '-c', 'export GITHUB_TOKEN="a c" && git push'],
    ['bash', '-c', 'export GITHUB_TOKEN="§§§" && git push'],
  ],
  [
    'options in a script',
    ['bash', '-c', "gh --auth-token abc x && curl -su 'a:b' h && curl --user c:d h"],
    ['bash', '-c', "gh --auth-token §§§ x && curl -su '§§§' h && curl --user §§§ h"],
  ],
  [
    'what programs take in a script',
    ['sh', '-c', 'sshpass -p ab ssh h; mysql -uroot -pab db; redis-cli -h x -a ab ping'],
    ['sh', '-c', 'sshpass -p §§ ssh h; mysql -uroot -p§§ db; redis-cli -h x -a §§ ping'],
  ],
  [
    'a log-in in a script',
    [
      'sh',
      '-c',
      'docker login -u me -p ab r && http -a me:ab GET h && /usr/bin/curl --cookie a=b h',
    ],
    [
      'sh',
      '-c',
      'docker login -u me -p §§ r && http -a §§§§§ GET h && /usr/bin/curl --cookie §§§ h',
    ],
  ],
  [
    'two options in a script',
    ['sh', '-c', 'curl -u tok -b "a=b; c" h'],
    ['sh', '-c', 'curl -u §§§ -b "§§§§§§" h'],
  ],
  [
    'no port in a script',
    ['sh', '-c', 'docker run -p 80:80 x; mysql -u root -P 3306; curl -c jar http://h/ -a'],
    ['sh', '-c', 'docker run -p 80:80 x; mysql -u root -P 3306; curl -c jar http://h/ -a'],
  ],
  [
    'JSON in a script',
    ['bash', '-c', 'curl -d "{\\"password\\": \\"a b\\", \\"n\\": 1}" h'],
    ['bash', '-c', 'curl -d "{\\"password\\": \\"§§§§", \\"n\\": 1}" h'],
  ],
  [
    'user information of a URL',
    ['git', 'clone', 'https://ada:p@w@host/r.git'],
    ['git', 'clone', 'https://§§§§§§§@host/r.git'],
  ],
  [
    'parameters of a URL',
    ['wget', 'https://h/?key=abc&x=1&X-Amz-Signature=f0&page_token=t'],
    ['wget', 'https://h/?key=§§§&x=1&X-Amz-Signature=§§&page_token=§'],
  ],
  ['a key by its shape', ['x', 'sk-ant-abcdefgh'], ['x', '§§§§§§§§§§§§§§§']],
  ['a key in a text', ['x', `use sk-${'a'.repeat(20)} now`], ['x', `use ${'§'.repeat(23)} now`]],
  ['a key of a service', ['x', `a:AKIA${'B'.repeat(16)}`], ['x', `a:${'§'.repeat(20)}`]],
  ['a long value whole', ['x', `token=${'a'.repeat(9000)}`], ['x', `token=${'§'.repeat(9000)}`]],
  [
    'nothing in ordinary arguments',
    ['git', 'commit', '-m', 'Explain tokens', '--author=Ada'],
    ['git', 'commit', '-m', 'Explain tokens', '--author=Ada'],
  ],
  [
    'nothing that only sounds like it',
    [
      'python',
      '-u',
      'a:b.py',
      '--tokens',
      '100',
      '--max-tokens=5',
      '--sort-key',
      'n',
      'max_tokens=5',
    ],
    [
      'python',
      '-u',
      'a:b.py',
      '--tokens',
      '100',
      '--max-tokens=5',
      '--sort-key',
      'n',
      'max_tokens=5',
    ],
  ],
  ['nothing in the program itself', ['/opt/token', 'list'], ['/opt/token', 'list']],
  ['nothing in paths', ['ls', '-la', '/home/secret'], ['ls', '-la', '/home/secret']],
];

describe('the arguments of a program', () => {
  for (const [name, argv, masked] of CASES) {
    it(`mask ${name}`, () => {
      assert.deepEqual(
        maskArguments(argv),
        masked.map((argument) => argument.replaceAll('§', '*')),
      );
    });
  }

  it('take time in proportion to their length', () => {
    const longest = (unit: string) => unit.repeat(Math.ceil(400_000 / unit.length));
    const slow: string[] = [];
    for (const unit of HOSTILE) {
      const started = process.hrtime.bigint();
      maskArguments(['curl', longest(unit), `--${longest(unit)}`, '-H', longest(unit)]);
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      // Quadratic time would be minutes.
      if (ms > 3000) {
        slow.push(`${JSON.stringify(unit)}: ${ms} ms`);
      }
    }
    assert.deepEqual(slow, []);
  }).timeout(120_000);
});

const HOSTILE = [
  'a',
  'a-',
  'a_',
  '-',
  '--',
  '--a-',
  'eyJ-',
  'TOKEN',
  'token',
  'token=',
  'token="',
  "token='",
  'password\\\\"',
  'http://a:',
  ':// ',
  '://@',
  '://a',
  'sk-',
  '?key',
  '?key=',
  '?a-',
  '&a.b.',
  'Bearer ',
  'Bearer',
  'cookie:',
  'cookie "',
  '-u ',
  '-u a',
  '--user ',
  '--token ',
  '"',
  "'",
  ' ',
  '\n',
  '*',
  'SECRET_',
  'A_KEY=',
  'x-auth-',
  'SG.',
  'PRIVATE KEY-----',
  'curl ',
  'curl -',
  'curl -u ',
  'mysql a ',
  'docker login ',
  'http -a',
];

describe('a text', () => {
  it('loses what its own words give away', () => {
    assert.equal(maskSecretsInText('run --token abc'), 'run --token ***');
    assert.equal(maskSecretsInText('echo hi'), 'echo hi');
  });
});
