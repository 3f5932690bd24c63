import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandsPage } from '../../../src/cli/commands-page.ts';
import { environmentSection } from '../../../src/cli/help.ts';
import { configurationPage } from '../../../src/config/configuration-page.ts';
import { Refusal } from '../../../src/config/format.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { redactionPage } from '../../../src/config/redaction-page.ts';
import { settings } from '../../../src/config/schema.ts';

function page(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
}

describe('the documentation of the configuration', () => {
  it('is not stale: else run "npm run docs"', () => {
    assert.equal(page('configuration.md'), configurationPage());
  });

  it('is not stale for the commands: else run "npm run docs"', () => {
    assert.equal(page('commands.md'), commandsPage());
  });

  it('is not stale for redaction: else run "npm run docs"', () => {
    assert.equal(page('redaction.md'), redactionPage());
  });

  it('has a configuration file that is taken as it stands', () => {
    const [, file = ''] = /```yaml\n(.*?)```/s.exec(page('configuration.md')) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'sightline-documentation-'));
    try {
      const configFile = join(folder, 'sightline.yaml');
      writeFileSync(configFile, file);
      const { otlp, capture } = loadConfig({}, { configFile });
      assert.deepEqual(otlp.headers, [['x-api-key', 'your-key']]);
      assert.equal(capture.turnTimeoutMs, 20 * 60_000);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('has a row for every variable, exactly once', () => {
    const text = page('configuration.md');
    for (const { key, path } of settings()) {
      assert.equal(text.split(`\n| \`${key.env}\` |`).length, 2, key.env);
      assert.ok(text.includes(`\`${path}\` |`), path);
    }
  });

  it('has every variable in --help', () => {
    const lines = environmentSection().split('\n');
    for (const { key } of settings()) {
      const found = lines.filter((line) => line.trim().split('=', 1)[0] === key.env);
      assert.equal(found.length, 1, key.env);
    }
  });
});

describe('the configuration schema', () => {
  it('gives every setting a variable of its own, a sentence and a default that its format takes', () => {
    const names = new Set<string>();
    for (const { key } of settings()) {
      assert.match(key.env, /^(OTEL|SIGHTLINE)_[A-Z0-9_]+$/);
      assert.ok(!names.has(key.env), key.env);
      names.add(key.env);
      assert.match(key.doc, /^[^\n]{15,}\.$/, key.env);
      if (key.default === undefined) {
        assert.ok((key.unset ?? '') !== '', `${key.env} says what happens when it is unset`);
        continue;
      }
      const shown = key.format.show(key.default);
      if (shown !== '') {
        const value = key.format.parse(shown);
        assert.ok(!(value instanceof Refusal), `${key.env}=${shown}`);
        assert.deepEqual(value, key.default, key.env);
      }
    }
  });

  it('has the standard variables that are promised', () => {
    const names = new Set(settings().map(({ key }) => key.env));
    const otlp = [
      'ENDPOINT',
      'PROTOCOL',
      'HEADERS',
      'TIMEOUT',
      'COMPRESSION',
      'CERTIFICATE',
      'CLIENT_KEY',
      'CLIENT_CERTIFICATE',
      'INSECURE',
    ];
    const promised = [
      ...['', 'TRACES_', 'METRICS_', 'LOGS_'].flatMap((signal) =>
        otlp.map((name) => `OTEL_EXPORTER_OTLP_${signal}${name}`),
      ),
      ...['TRACES', 'METRICS', 'LOGS'].map((signal) => `OTEL_${signal}_EXPORTER`),
      ...['BSP', 'BLRP'].flatMap((batch) =>
        ['SCHEDULE_DELAY', 'EXPORT_TIMEOUT', 'MAX_QUEUE_SIZE', 'MAX_EXPORT_BATCH_SIZE'].map(
          (name) => `OTEL_${batch}_${name}`,
        ),
      ),
      'OTEL_RESOURCE_ATTRIBUTES',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
      'OTEL_METRIC_EXPORT_INTERVAL',
      'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
      'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
      'OTEL_SDK_DISABLED',
      'OTEL_LOG_LEVEL',
      'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT',
    ];
    for (const name of promised) {
      assert.ok(names.has(name), name);
    }
  });
});
