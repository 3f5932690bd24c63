/** The resources: who the workload is, never who we are. */
import assert from 'node:assert/strict';
import type { Workload } from '../../../src/session/story.ts';
import { serviceInstanceId } from '../../../src/telemetry/deterministic-uuid.ts';
import {
  type ResourceContext,
  resourceSignature,
  serviceResource,
  workloadResource,
} from '../../../src/telemetry/workload-resource.ts';
import { HOST, makeProcess, WORKLOAD } from '../../support/story-pieces.ts';

const CONTEXT: ResourceContext = { host: HOST, extra: [], redact: (text) => text };

describe('the resource of a workload', () => {
  it('has exactly these attributes', () => {
    const workload: Workload = {
      name: 'agent',
      isAgent: true,
      root: makeProcess({
        containerId: 'c'.repeat(64),
        podUid: '8d0f11ee',
        packageVersion: '1.2.3',
        argv: ['node', 'agent.js', '--api-key=abc'],
        executable: '/usr/bin/node',
      }),
    };
    const redact = (text: string) => text.replace('abc', '***');
    assert.deepEqual(workloadResource(workload, { ...CONTEXT, redact }), {
      'service.name': 'agent',
      'service.version': '1.2.3',
      'service.instance.id': '60185aba-8a15-5d88-97bb-03d20dd81426',
      'host.name': 'build-7',
      'host.id': '0123456789abcdef0123456789abcdef',
      'host.arch': 'amd64',
      'os.type': 'linux',
      'os.description': 'Debian GNU/Linux 12 (bookworm)',
      'process.pid': 4242,
      'process.executable.name': 'node',
      'process.executable.path': '/usr/bin/node',
      'process.command_args': ['node', 'agent.js', '--api-key=***'],
      'process.owner': 'ada',
      'container.id': 'c'.repeat(64),
      'k8s.pod.uid': '8d0f11ee',
      'telemetry.sdk.name': 'opentelemetry',
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.version': '2.12.0',
    });
  });

  it('has another instance id for another process, boot or start', () => {
    const idOf = (pid: number, startNs: bigint, bootId = HOST.bootId) =>
      workloadResource(
        { ...WORKLOAD, root: makeProcess({ ref: { pid, startNs } }) },
        { ...CONTEXT, host: { ...HOST, bootId } },
      )['service.instance.id'];
    const ids = [idOf(1, 1n), idOf(2, 1n), idOf(1, 2n), idOf(1, 1n, 'other'), idOf(1, 1n)];
    assert.equal(new Set(ids).size, 4);
    assert.equal(ids[0], ids[4]);
  });

  it('takes OTEL_RESOURCE_ATTRIBUTES, but not for its identity', () => {
    const resource = workloadResource(WORKLOAD, {
      ...CONTEXT,
      extra: [
        ['deployment.environment.name', 'prod'],
        ['host.name', 'node-a'],
        ['service.name', 'sightline'],
      ],
    });
    assert.equal(resource['deployment.environment.name'], 'prod');
    assert.equal(resource['host.name'], 'node-a');
    assert.equal(resource['service.name'], 'claude-code');
  });

  it('is another one once more is known of the process', () => {
    const root = makeProcess({ owner: undefined });
    const workload = { ...WORKLOAD, root };
    const before = resourceSignature(workload);
    root.owner = 'ada';
    assert.notEqual(resourceSignature(workload), before);
  });
});

describe('the resource of metrics', () => {
  it('has no process, and the instance of the host', () => {
    const resource = serviceResource('curl', CONTEXT);
    assert.ok(!Object.keys(resource).some((name) => name.startsWith('process.')));
    assert.equal(resource['service.instance.id'], serviceInstanceId(HOST.machineId ?? ''));
    assert.equal(resource['service.name'], 'curl');
  });
});

describe('a service instance id', () => {
  it('is a version 5 UUID in the namespace of the conventions', () => {
    // Computed by Python's uuid.uuid5 with the same namespace.
    assert.equal(serviceInstanceId('example'), '9e43c253-d56e-5ac7-ad8c-da84940fabfa');
  });
});
