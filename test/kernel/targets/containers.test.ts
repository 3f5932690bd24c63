/** Control groups as container runtimes make them: what is exported of calls from within, and targets by group. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import type { ModelServer } from '../../support/model-server/server.ts';
import { observe } from '../../support/observed-server.ts';

const ID = '7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605';
const OTHER_ID = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0';
const UID = '5d2c19d0-77d8-4ac2-8e8f-6a1b5e9c0d42';

const DOCKER = `docker-${ID}.scope`;
const POD = `kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice`;
const KUBERNETES = `${POD}/cri-containerd-${OTHER_ID}.scope`;

describe('containers', function () {
  this.timeout(60_000);
  /** A group of our own in the unified hierarchy, so that nothing of a real runtime is touched. */
  let base: string;

  before(function () {
    requireKernel(this);
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    const root = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
    base = `${root}/sightline-test-${process.pid}`;
    try {
      mkdirSync(`${base}/${DOCKER}`, { recursive: true });
      mkdirSync(`${base}/${KUBERNETES}`, { recursive: true });
    } catch {
      skipWithout(this, 'control groups');
    }
  });

  after(() => {
    for (const group of [KUBERNETES, POD, DOCKER, '']) {
      try {
        rmdirSync(`${base}/${group}`);
      } catch {
        // It was not made.
      }
    }
  });

  /** curl within a group, each call a process of its own. */
  async function callsFrom(server: ModelServer, group: string, count: number): Promise<void> {
    const move = `echo $$ > ${base}/${group}/cgroup.procs && exec "$@"`;
    const { exitCode } = await runClient({
      program: 'curl',
      url: server.url,
      caPath: server.caPath,
      count,
      ...(group === '' ? {} : { prefix: ['bash', '-c', move, 'bash'] }),
    });
    assert.equal(exitCode, 0);
  }

  it('are on the resource of what runs in them, and on nothing else', async () => {
    const { spans } = await observe({}, async (server) => {
      await Promise.all([
        callsFrom(server, DOCKER, 3),
        callsFrom(server, KUBERNETES, 5),
        callsFrom(server, '', 7),
      ]);
    });
    const places = chatSpans(spans).map(({ resource }) =>
      [resource['container.id'], resource['k8s.pod.uid']].join(' '),
    );
    assert.deepEqual(
      places.sort(),
      [
        ...Array<string>(3).fill(`${ID} `),
        ...Array<string>(5).fill(`${OTHER_ID} ${UID}`),
        ...Array<string>(7).fill(' '),
      ].sort(),
    );
  });

  it('are targets by a part of their group’s path', async () => {
    const { spans, truth, finished } = await observe(
      { env: { SIGHTLINE_TARGET_CGROUP: `kubepods-*${UID.slice(0, 8)}*.slice` } },
      async (server) => {
        await callsFrom(server, DOCKER, 3);
        await callsFrom(server, KUBERNETES, 5);
      },
    );
    assert.equal(truth.length, 8);
    assert.match(finished.stderr, /^sightline ready: observing targets on this host \(/m);
    assert.match(finished.stderr, /^ {2}only SIGHTLINE_TARGET_CGROUP=kubepods-\*/m);
    const uids = chatSpans(spans).map(({ resource }) => resource['k8s.pod.uid']);
    assert.deepEqual(uids, Array<string>(5).fill(UID));
  });

  it('are left out by it, where it is excluded, though the program is a target', async () => {
    const { spans, truth } = await observe(
      { env: { SIGHTLINE_EXCLUDE_CGROUP: 'docker-*', SIGHTLINE_TARGET_EXE: 'curl' } },
      async (server) => {
        await callsFrom(server, DOCKER, 3);
        await callsFrom(server, '', 5);
      },
    );
    assert.equal(truth.length, 8);
    const ids = chatSpans(spans).map(({ resource }) => resource['container.id']);
    assert.deepEqual(ids, Array<undefined>(5).fill(undefined));
  });
});
