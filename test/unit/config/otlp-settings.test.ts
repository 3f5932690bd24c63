import assert from 'node:assert/strict';
import { loadConfig } from '../../../src/config/load.ts';
import { otlpSettings, type Signal } from '../../../src/config/otlp-settings.ts';

function settingsOf(signal: Signal, env: Record<string, string>) {
  return otlpSettings(loadConfig(env), signal);
}

describe('the OTLP settings of a signal', () => {
  it("are the specification's when nothing is set, and say that nobody set them", () => {
    assert.deepEqual(settingsOf('traces', {}), {
      signal: 'traces',
      protocol: 'grpc',
      url: 'http://localhost:4317',
      isDefault: true,
      headers: {},
      timeoutMs: 10_000,
      compression: 'none',
      insecure: true,
    });
    const http = settingsOf('logs', { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' });
    assert.equal(http?.url, 'http://localhost:4318/v1/logs');
  });

  it('are absent when the signal goes elsewhere or nothing is exported', () => {
    assert.equal(settingsOf('traces', { OTEL_TRACES_EXPORTER: 'none' }), undefined);
    assert.equal(settingsOf('metrics', { OTEL_METRICS_EXPORTER: 'console' }), undefined);
    assert.equal(settingsOf('logs', { OTEL_SDK_DISABLED: 'true' }), undefined);
    assert.notEqual(settingsOf('logs', { OTEL_TRACES_EXPORTER: 'none' }), undefined);
  });

  it('append the path to a common HTTP endpoint and leave an own one as it is', () => {
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://h:4318/base/?tenant=1',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://other:1/here',
    };
    assert.equal(settingsOf('traces', env)?.url, 'https://h:4318/base/v1/traces?tenant=1');
    assert.equal(settingsOf('traces', env)?.isDefault, false);
    assert.equal(settingsOf('traces', env)?.insecure, false);
    assert.equal(settingsOf('logs', env)?.url, 'http://other:1/here');
    assert.equal(settingsOf('logs', env)?.insecure, true);
  });

  it('leave a gRPC endpoint as it is; without a scheme the insecure variable decides', () => {
    const url = 'collector:4317';
    assert.equal(settingsOf('traces', { OTEL_EXPORTER_OTLP_ENDPOINT: url })?.url, url);
    assert.equal(settingsOf('traces', { OTEL_EXPORTER_OTLP_ENDPOINT: url })?.insecure, false);
    const insecure = settingsOf('traces', {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_INSECURE: 'false',
      OTEL_EXPORTER_OTLP_TRACES_INSECURE: 'true',
    });
    assert.equal(insecure?.insecure, true);
  });

  it("take the signal's own value where there is one", () => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=common,Other=1',
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'API-Key=own',
      OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '1000',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'none',
      OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
    };
    const metrics = settingsOf('metrics', env);
    assert.deepEqual(metrics?.headers, { 'api-key': 'own', other: '1' });
    assert.equal(metrics?.timeoutMs, 1000);
    assert.equal(metrics?.compression, 'gzip');
    assert.equal(metrics?.protocol, 'http/protobuf');
    const traces = settingsOf('traces', env);
    assert.deepEqual(traces?.headers, { 'api-key': 'common', other: '1' });
    assert.equal(traces?.timeoutMs, 5000);
    assert.equal(traces?.protocol, 'grpc');
  });
});
