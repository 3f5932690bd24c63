import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, unknownVariables } from '../../../src/config/load.ts';
import { settings } from '../../../src/config/schema.ts';
import { SightlineError } from '../../../src/util/errors.ts';

/** The error that the environment or the file must give. */
function refusal(env: Record<string, string>, configFile?: string): SightlineError {
  try {
    loadConfig(env, configFile === undefined ? {} : { configFile });
  } catch (error) {
    assert.ok(error instanceof SightlineError, `not ours: ${error}`);
    assert.equal(error.exitCode, 2);
    assert.match(error.code, /^SL_CONFIG_/);
    assert.ok(!error.message.includes('\n'), 'one line');
    return error;
  }
  assert.fail('it was taken');
}

describe('loading the configuration', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-config-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function file(text: string, name = 'config.yaml'): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  it('has the documented defaults when nothing is set', () => {
    const config = loadConfig({});
    assert.deepEqual(config.capture, {
      kinds: ['tls', 'plain', 'process'],
      probeRest: true,
      ringBytes: 16 * 1024 * 1024,
      streamTimeoutMs: 300_000,
      turnTimeoutMs: 600_000,
    });
    assert.equal(config.content.capture, 'NO_CONTENT');
    assert.equal(config.content.maxBytes, 65_536);
    assert.equal(config.otlp.protocol, 'grpc');
    assert.equal(config.otlp.endpoint, undefined);
    assert.equal(config.traces.exporter, 'otlp');
    assert.equal(config.traces.batch.maxExportBatchSize, 512);
    assert.equal(config.file.path, undefined);
  });

  it('is frozen to the bottom', () => {
    const config = loadConfig({ OTEL_EXPORTER_OTLP_HEADERS: 'a=b' });
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    assert.ok(isFrozen(config));
  });

  it('takes an empty variable for unset', () => {
    assert.deepEqual(
      loadConfig({ SIGHTLINE_RING_BYTES: '', OTEL_EXPORTER_OTLP_ENDPOINT: '  ' }),
      loadConfig({}),
    );
  });

  it('reads every variable into its own place', () => {
    // A text for each allowed description, so that a new setting without one fails here.
    const pem = file('x', 'x.pem');
    for (const { path, key } of settings()) {
      const text = sampleOf(key.format.allowed, pem);
      const value = path
        .split('.')
        .reduce<unknown>(
          (node, name) => (node as Record<string, unknown>)[name],
          loadConfig(withPartners(key.env, text)),
        );
      assert.deepEqual(value, key.format.parse(text), `${key.env} → ${path}`);
    }
  });

  it('names the variable, the value and what is allowed', () => {
    const { message } = refusal({ SIGHTLINE_RING_BYTES: '12abc' });
    assert.match(message, /^SIGHTLINE_RING_BYTES is "12abc", but allowed is bytes.*power of two/);
  });

  it('names all wrong variables at once', () => {
    const { message } = refusal({ OTEL_SDK_DISABLED: 'maybe', SIGHTLINE_TURN_TIMEOUT: 'soon' });
    assert.match(message, /OTEL_SDK_DISABLED is "maybe"/);
    assert.match(message, /SIGHTLINE_TURN_TIMEOUT is "soon"/);
  });

  it('reads which processes are observed, and says what is wrong with it', () => {
    const { target, exclude } = loadConfig({
      SIGHTLINE_TARGET_PID: '1, 4194304',
      SIGHTLINE_TARGET_UID: 'root,1000,',
      SIGHTLINE_EXCLUDE_COMM: 'git*,[a-c]x',
      SIGHTLINE_EXCLUDE_EXE: '/opt/**/a b',
    });
    assert.deepEqual(
      [target.pids, target.uids],
      [
        [1, 4_194_304],
        [0, 1000],
      ],
    );
    assert.deepEqual([exclude.comms, exclude.executables], [['git*', '[a-c]x'], ['/opt/**/a b']]);
    const wrong: [string, string, RegExp][] = [
      ['SIGHTLINE_TARGET_PID', '12,abc', /^SIGHTLINE_TARGET_PID is "12,abc", but allowed is .*ids/],
      ['SIGHTLINE_EXCLUDE_PID', '0', /from 1 to 4194304/],
      [
        'SIGHTLINE_TARGET_UID',
        'nobody-has-this-name',
        /user ids .* or of names that \/etc\/passwd/,
      ],
      ['SIGHTLINE_TARGET_COMM', 'a-name-of-17-byte', /"a-name-of-17-byte" can match nothing.*15/],
      ['SIGHTLINE_EXCLUDE_CGROUP', '[z-a]', /"\[z-a\]" is no pattern/],
      ['SIGHTLINE_TARGET_EXE', ' , ', /allowed is a comma-separated list of patterns/],
    ];
    for (const [name, value, message] of wrong) {
      assert.match(refusal({ [name]: value }).message, message);
    }
  });

  it('says which captures are not available in this version', () => {
    const { message } = refusal({ SIGHTLINE_CAPTURE: 'tls,stdio,process' });
    assert.match(message, /"stdio" is not available in this version/);
  });

  it('reads the switch for message content in any case, and the older true and false', () => {
    const read = (text: string): string =>
      loadConfig({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: text }).content.capture;
    assert.equal(read('span_and_event'), 'SPAN_AND_EVENT');
    assert.equal(read('Event_Only'), 'EVENT_ONLY');
    assert.equal(read('true'), 'SPAN_ONLY');
    assert.equal(read('False'), 'NO_CONTENT');
    refusal({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'yes' });
  });

  it('shows no secret in an error', () => {
    const secret = 'sk-very-secret';
    for (const name of [
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
      'OTEL_EXPORTER_OTLP_LOGS_HEADERS',
      'OTEL_EXPORTER_OTLP_METRICS_HEADERS',
    ]) {
      const error = refusal({ [name]: `api-key ${secret}` });
      assert.match(error.message, new RegExp(`^${name} is set \\(not shown\\)`));
      assert.ok(!JSON.stringify(error).includes(secret));
      assert.ok(!error.message.includes(secret));
    }
    for (const url of [
      `http://user:${secret}@h:1`,
      `ftp://h/v1?key=${secret}`,
      `http://h:1/v1#token=${secret}`,
      `http://user:x@h/?${secret}`,
      `h/v1?key=${secret}`,
    ]) {
      const { message } = refusal({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
      assert.ok(!message.includes(secret), message);
    }
  });

  it('shows a long or odd value on one line', () => {
    const { message } = refusal({ OTEL_LOG_LEVEL: `a\nb\u001b[31m${'x'.repeat(1000)}` });
    assert.ok(message.length < 400);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.ok(!/[\u0000-\u001f]/.test(message));
  });

  it('shrinks the default batch to a smaller queue, and refuses a batch that someone made larger', () => {
    const { batch } = loadConfig({ OTEL_BSP_MAX_QUEUE_SIZE: '100' }).traces;
    assert.equal(batch.maxExportBatchSize, 100);
    const { message } = refusal({
      OTEL_BLRP_MAX_QUEUE_SIZE: '100',
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '512',
    });
    assert.match(
      message,
      /OTEL_BLRP_MAX_EXPORT_BATCH_SIZE is 512.*OTEL_BLRP_MAX_QUEUE_SIZE is 100/,
    );
  });

  it('refuses an endpoint without a scheme for http/protobuf', () => {
    const { message } = refusal({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    });
    assert.match(message, /write http:\/\/collector:4318/);
  });

  it('refuses a client key without its certificate', () => {
    const pem = file('x', 'key.pem');
    assert.match(refusal({ OTEL_EXPORTER_OTLP_CLIENT_KEY: pem }).message, /set both or neither/);
  });

  describe('from a file', () => {
    it('takes the names of variables and nested keys, in YAML and in JSON', () => {
      const yaml = file(
        'SIGHTLINE_TURN_TIMEOUT: 20m\ncapture:\n  kinds: [tls]\n  ringBytes: 128KiB\n',
      );
      const config = loadConfig({}, { configFile: yaml });
      assert.equal(config.capture.turnTimeoutMs, 1_200_000);
      assert.deepEqual(config.capture.kinds, ['tls']);
      assert.equal(config.capture.ringBytes, 131_072);
      const json = file('{"otel": {"disabled": true}, "SIGHTLINE_TURN_TIMEOUT": 5}', 'c.json');
      const fromJson = loadConfig({}, { configFile: json });
      assert.equal(fromJson.otel.disabled, true);
      assert.equal(fromJson.capture.turnTimeoutMs, 5);
    });

    it('takes mappings for headers and attributes, whatever their characters', () => {
      const path = file(
        'otlp:\n  headers: {x-key: "a, b=c %"}\notel:\n  resourceAttributes: {a.b: "€,"}',
      );
      const config = loadConfig({}, { configFile: path });
      assert.deepEqual(config.otlp.headers, [['x-key', 'a, b=c %']]);
      assert.deepEqual(config.otel.resourceAttributes, [['a.b', '€,']]);
    });

    it('gives way to the environment', () => {
      const path = file('SIGHTLINE_TURN_TIMEOUT: 20m\nSIGHTLINE_STREAM_TIMEOUT: 1m');
      const config = loadConfig({ SIGHTLINE_TURN_TIMEOUT: '1s' }, { configFile: path });
      assert.equal(config.capture.turnTimeoutMs, 1000);
      assert.equal(config.capture.streamTimeoutMs, 60_000);
    });

    it('may be empty, and an empty value counts as unset', () => {
      assert.deepEqual(loadConfig({}, { configFile: file('') }), loadConfig({}));
      const path = file('SIGHTLINE_TURN_TIMEOUT:\nSIGHTLINE_STREAM_TIMEOUT: ""');
      assert.deepEqual(loadConfig({}, { configFile: path }), loadConfig({}));
    });

    const wrong: readonly (readonly [what: string, text: string, message: RegExp])[] = [
      ['an unknown key', 'capture: {kind: tls}', /the key capture\.kind, which/],
      ['an unknown variable', 'SIGHTLINE_TURN_TIMOUT: 5m', /the key SIGHTLINE_TURN_TIMOUT, which/],
      ['a key of the language', 'constructor: {prototype: {x: 1}}', /the key constructor, which/],
      ['__proto__', '__proto__: {x: 1}', /the key __proto__, which/],
      ['a variable inside a group', 'otlp: {OTEL_LOG_LEVEL: info}', /the key otlp\.OTEL_LOG/],
      [
        'one thing twice',
        'SIGHTLINE_CAPTURE: tls\ncapture: {kinds: tls}',
        /sets the same thing twice/,
      ],
      ['a value where a group belongs', 'otlp: 3', /otlp must hold settings/],
      ['a list', '- a', /must hold settings/],
      ['no YAML', 'a: [', /no YAML or JSON/],
      ['a value too deep', 'otlp: {headers: {a: {b: c}}}', /otlp\.headers is too deep/],
      ['a wrong value', 'OTEL_SDK_DISABLED: yes', /^OTEL_SDK_DISABLED in .* is "yes", but allowed/],
      ['a float', 'capture: {ringBytes: 1.5}', /^capture\.ringBytes in .* is "1\.5", but/],
      ['an alias bomb', 'a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]', /./],
    ];
    for (const [what, text, message] of wrong) {
      it(`refuses ${what}`, () => {
        assert.match(refusal({}, file(text)).message, message);
      });
    }

    it('refuses a file that is not there, and a folder', () => {
      assert.match(refusal({}, join(folder, 'missing.yaml')).message, /cannot be read \(ENOENT\)/);
      assert.match(refusal({}, folder).message, /cannot be read \(EISDIR\)/);
    });
  });

  it('names variables of ours that it does not know', () => {
    const lines = unknownVariables({
      SIGHTLINE_TURN_TIMOUT: '5m',
      SIGHTLINE_TURN_TIMEOUT: '5m',
      SIGHTLINE_REQUIRE_KERNEL: '1',
      OTEL_SOMETHING: 'x',
    });
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /^SIGHTLINE_TURN_TIMOUT is set, but this version has no such/);
  });
});

/** A text that is not the default, for a format by its description. */
function sampleOf(allowed: string, pem: string): string {
  const samples: readonly (readonly [RegExp, string])[] = [
    [/power of two/, '128KiB'],
    [/\/pattern\//, '/a,b/i,email'],
    [/^milliseconds/, '7s'],
    [/^bytes/, '1MiB'],
    [/^a whole number/, '7'],
    [/^a number/, '0.5'],
    [/^true or false/, 'true'],
    [/^comma-separated name=value/, 'a=b'],
    [/^an http/, 'https://other.example:4317'],
    [/^the path of a readable/, pem],
    [/^the path of a file in/, pem],
    [/^a comma-separated list of (?:process|user) ids/, '7'],
    [/^a comma-separated list of HOST/, 'host.example/ask=openai.chat_completions:example'],
    [/^a comma-separated list of (\w+)/, '$1'],
    [/^a CEL expression/, 'request.method == "GET"'],
    [/^one of [^,]+, ([^, (]+)/, '$1'],
  ];
  for (const [pattern, text] of samples) {
    const match = pattern.exec(allowed);
    if (match !== null) {
      return text.replace('$1', match[1] ?? '');
    }
  }
  assert.fail(`no sample for a format that allows ${allowed}`);
}

/** Settings that only make sense together. */
function withPartners(env: string, text: string): Record<string, string> {
  const partners: Record<string, string> = {};
  if (env.endsWith('CLIENT_KEY')) {
    partners[env.replace('CLIENT_KEY', 'CLIENT_CERTIFICATE')] = text;
  }
  if (env.endsWith('CLIENT_CERTIFICATE')) {
    partners[env.replace('CLIENT_CERTIFICATE', 'CLIENT_KEY')] = text;
  }
  return { ...partners, [env]: text };
}
