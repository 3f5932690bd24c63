import assert from 'node:assert/strict';
import { type OwnResourceOptions, ownResource } from '../../../src/self/own-resource.ts';

const OPTIONS: OwnResourceOptions = {
  host: { bootId: 'b', hostName: 'h', machineId: 'm' },
  pid: 23,
  startTicks: 7n,
  instanceId: (name) => `<${name}>`,
  extra: [
    ['deployment.environment.name', 'prod'],
    ['host.name', 'called-so'],
    ['service.instance.id', 'not-yours'],
  ],
};

describe('the own resource', () => {
  it('has the host, what was configured, and the instance', () => {
    assert.deepEqual(ownResource(OPTIONS), {
      'host.name': 'called-so',
      'host.id': 'm',
      'deployment.environment.name': 'prod',
      'service.instance.id': '<sightline/b/23@7>',
    });
    const bare = ownResource({ ...OPTIONS, host: { bootId: 'b', hostName: 'h' }, extra: [] });
    assert.deepEqual(Object.keys(bare), ['host.name', 'service.instance.id']);
    assert.equal(bare['host.name'], 'h');
  });

  it('is another one for another boot, process, or start of a process of the same id', () => {
    const ids = [
      OPTIONS,
      { ...OPTIONS, pid: 24 },
      { ...OPTIONS, startTicks: 8n },
      { ...OPTIONS, host: { ...OPTIONS.host, bootId: 'c' } },
    ].map((options) => ownResource(options)['service.instance.id']);
    assert.equal(new Set(ids).size, ids.length);
  });
});
