/** What SIGHTLINE_HTTP_FILTER may say, and how it is told what it may not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Refusal } from '../../../src/config/format.ts';
import { FILTER_NAMES, httpFilter, httpFilterCondition } from '../../../src/config/http-filter.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { SightlineError } from '../../../src/util/errors.ts';

const GOOD = [
  'request.method == "POST"',
  'request.host.endsWith(".internal") || request.port in [80, 8080]',
  '!request.path.matches("^/v1/(models|files)$")',
  'response.status < 400 && response.content_type != "text/html"',
  'has(request.headers.accept) && request.headers.accept.contains("json")',
  'request.headers["x-team"] == "a"',
  '"x-team" in request.headers',
  'request.headers.exists(name, name.startsWith("x-"))',
  'request.size + response.size > 1024 * 1024',
  'process.name in ["curl", "git"] && process.pid != 1',
  'size(request.query) == 0 ? request.scheme == "https" : false',
  'int(request.headers["content-length"]) > 10',
  'true',
  `true${' && true'.repeat(1000)}`,
];

/** Expression, where it is wrong (counted from 1), and a word of the explanation. */
const BAD: readonly [string, number | undefined, RegExp][] = [
  ['request.metod == "POST"', 8, /"request\.metod".*method, path, query/],
  ['requst.method == "POST"', 1, /"requst".*request, response, process/],
  ['method == "POST"', 1, /"method", which is no name/],
  ['request.method = "POST"', 16, /no expression/],
  ['request.method == "POST', 16, /no expression/],
  ['request.method', undefined, /gives a string, not true or false/],
  ['response.status', undefined, /gives a int/],
  ['request.method == 1', 16, /string and int/],
  ['response.status == "200"', 17, /int and string/],
  ['request.method && true', 1, /&& cannot take string and bool/],
  ['request.size > 1 + 2.0', 17, /\+ cannot take int and double/],
  ['request', 1, /"request" is no value/],
  ['has(request.method)', 1, /always there/],
  ['has(request)', 5, /"request" is no value/],
  ['has("a")', 1, /has\(\) takes a header/],
  ['request.path.match("a")', 13, /"match\(\)", which is no function/],
  ['request.path.matches("(")', 22, /pattern/],
  ['request.path.matches("(?=a)")', 22, /pattern/],
  ['request.path.matches(request.host)', 29, /not written out/],
  ['request.path.size', 13, /has no fields/],
  ['[1].exists(a, [2].exists(b, a == b))', 18, /inside another/],
  ['request.size.exists(a, true)', 13, /neither list nor map/],
  ['request.headers.all(name, value, true)', 16, /./],
  ['google.protobuf.Duration{seconds: 1} == null', 1, /no such types/],
  ['true ? 1 : "a"', 1, /cannot take/],
  [`${'('.repeat(5000)}true`, undefined, /too (deep|long)|no expression|longer/],
  ['x'.repeat(10_000), undefined, /longer than 8192/],
  ['', 1, /no expression/],
];

describe('the HTTP filter expression', () => {
  for (const text of GOOD) {
    it(`takes ${text.slice(0, 60)}`, () => {
      assert.equal(httpFilter().parse(text), text);
    });
  }

  for (const [text, place, words] of BAD) {
    it(`refuses ${text.slice(0, 60)}`, () => {
      const refused = httpFilter().parse(text);
      assert.ok(refused instanceof Refusal, 'it was taken');
      const [problem = ''] = refused.reason.split('; allowed is ');
      assert.match(problem, words);
      assert.ok(!refused.reason.includes('\n'), 'one line');
      const expected = place === undefined ? /^it / : new RegExp(`^at character ${place} `);
      if (words.source !== '.') {
        assert.match(problem, expected);
      }
    });
  }

  it('is refused by the configuration in one line that names variable, value, place and what is allowed', () => {
    assert.throws(
      () => loadConfig({ SIGHTLINE_HTTP_FILTER: 'request.verb == "GET"' }),
      (error: unknown) => {
        assert.ok(error instanceof SightlineError);
        assert.equal(error.exitCode, 2);
        assert.match(
          error.message,
          /^SIGHTLINE_HTTP_FILTER is .*request\.verb.*, but at character 8 there is .*; allowed is a CEL expression/,
        );
        return true;
      },
    );
  });

  it('has every field in the documentation', () => {
    const page = readFileSync(new URL('../../../docs/http.md', import.meta.url), 'utf8');
    for (const [name, { fields }] of Object.entries(FILTER_NAMES)) {
      for (const field of Object.keys(fields)) {
        assert.ok(page.includes(`\`${name}.${field}\``), `${name}.${field}`);
      }
    }
  });

  it('takes every example of the documentation', () => {
    const page = readFileSync(new URL('../../../docs/http.md', import.meta.url), 'utf8');
    const examples = [...page.matchAll(/```cel\n([^`]+)```/g)].flatMap((match) =>
      (match[1] ?? '').trim().split('\n'),
    );
    assert.ok(examples.length >= 4);
    for (const example of examples) {
      assert.equal(httpFilter().parse(example), example);
    }
  });

  it('has no answer where something is missing that decides, and one where it does not', () => {
    const condition = httpFilterCondition('request.method == "GET" || request.headers["x"] == "y"');
    const request = (method: string, headers: [string, string][] = []) =>
      new Map([
        [
          'request',
          new Map<string, unknown>([
            ['method', method],
            ['headers', new Map(headers)],
          ]),
        ],
      ]);
    const evaluate = (values: ReturnType<typeof request>) => condition.evaluate(values as never);
    assert.equal(evaluate(request('GET')), true);
    assert.equal(evaluate(request('POST')), undefined);
    assert.equal(evaluate(request('POST', [['x', 'y']])), true);
    assert.equal(evaluate(request('POST', [['x', 'z']])), false);
    assert.equal(condition.evaluate(new Map()), undefined);
  });

  it('matches patterns in linear time', () => {
    const condition = httpFilterCondition('request.path.matches("^(a+)+$")');
    const path = `${'a'.repeat(50_000)}!`;
    const before = process.cpuUsage();
    assert.equal(condition.evaluate(new Map([['request', new Map([['path', path]])]])), false);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 2_000_000, `${user} µs`);
  });
});
