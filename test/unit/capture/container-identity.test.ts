/** Control group paths as container runtimes write them, cgroup v1 and v2. */
import assert from 'node:assert/strict';
import { parseCgroups } from '../../../src/capture/cgroup-paths.ts';
import { containerOf } from '../../../src/capture/container-identity.ts';

const ID = '7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605';
const INNER = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0';
const UID = '5d2c19d0-77d8-4ac2-8e8f-6a1b5e9c0d42';
const ESCAPED = UID.replaceAll('-', '_');
const STATIC_UID = 'c0ffee00deadbeef0123456789abcdef';
const TASK = '447438d8540d429bbd9bd10c54b5b9c0';

const CASES: [string, string, { containerId?: string; podUid?: string }][] = [
  ['a session', '0::/user.slice/user-1000.slice/session-3.scope', {}],
  ['a service', '0::/system.slice/nginx.service', {}],
  ['the root', '12:pids:/\n1:name=systemd:/\n0::/', {}],
  ['Docker, systemd driver, v2', `0::/system.slice/docker-${ID}.scope`, { containerId: ID }],
  ['Docker, cgroupfs driver, v2', `0::/docker/${ID}`, { containerId: ID }],
  [
    'Docker, cgroupfs driver, v1',
    `11:blkio:/docker/${ID}\n4:cpu,cpuacct:/docker/${ID}\n1:name=systemd:/docker/${ID}\n0::/`,
    { containerId: ID },
  ],
  [
    'Docker, systemd driver, v1',
    `9:memory:/system.slice/docker-${ID}.scope\n0::/system.slice/docker-${ID}.scope`,
    { containerId: ID },
  ],
  [
    'rootless Docker',
    `0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`,
    { containerId: ID },
  ],
  ['containerd by nerdctl', `0::/system.slice/nerdctl-${ID}.scope`, { containerId: ID }],
  ['containerd, cgroupfs driver', `0::/default/${ID}`, { containerId: ID }],
  [
    'Kubernetes burstable, containerd, systemd driver',
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${ESCAPED}.slice/cri-containerd-${ID}.scope`,
    { containerId: ID, podUid: UID },
  ],
  [
    'Kubernetes besteffort, CRI-O, systemd driver',
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${ESCAPED}.slice/crio-${ID}.scope/container`,
    { containerId: ID, podUid: UID },
  ],
  [
    'Kubernetes guaranteed, systemd driver',
    `0::/kubepods.slice/kubepods-pod${ESCAPED}.slice/cri-containerd-${ID}.scope`,
    { containerId: ID, podUid: UID },
  ],
  [
    'Kubernetes burstable, cgroupfs driver, v1',
    `6:devices:/kubepods/burstable/pod${UID}/${ID}`,
    { containerId: ID, podUid: UID },
  ],
  [
    'Kubernetes guaranteed, cgroupfs driver',
    `0::/kubepods/pod${UID}/${ID}`,
    { containerId: ID, podUid: UID },
  ],
  [
    'a static pod, whose uid is a hash',
    `0::/kubepods/burstable/pod${STATIC_UID}/${ID}`,
    { containerId: ID, podUid: STATIC_UID },
  ],
  [
    'containerd with a driver other than the kubelet’s',
    `5:memory:/system.slice/containerd.service/kubepods-burstable-pod${ESCAPED}.slice:cri-containerd:${ID}`,
    { containerId: ID, podUid: UID },
  ],
  [
    'Kubernetes within a Docker container (kind)',
    `0::/docker/${ID}/kubelet/kubepods/besteffort/pod${UID}/${INNER}`,
    { containerId: INNER, podUid: UID },
  ],
  [
    'kind with systemd',
    `0::/system.slice/docker-${ID}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${ESCAPED}.slice/cri-containerd-${INNER}.scope`,
    { containerId: INNER, podUid: UID },
  ],
  ['Docker in Docker', `0::/docker/${ID}/docker/${INNER}`, { containerId: INNER }],
  ['Podman', `0::/machine.slice/libpod-${ID}.scope/container`, { containerId: ID }],
  [
    'rootless Podman',
    `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`,
    { containerId: ID },
  ],
  [
    'a Podman pod',
    `0::/machine.slice/machine-libpod_pod_${INNER}.slice/libpod-${ID}.scope/container`,
    { containerId: ID },
  ],
  ['Podman’s monitor, outside', `0::/machine.slice/libpod-conmon-${ID}.scope`, {}],
  [
    'CRI-O’s monitor, in the pod but in no container',
    `0::/kubepods.slice/kubepods-pod${ESCAPED}.slice/crio-conmon-${ID}.scope`,
    { podUid: UID },
  ],
  ['ECS on Fargate', `0::/ecs/${TASK}/${TASK}-2574862340`, { containerId: `${TASK}-2574862340` }],
  ['ECS on EC2', `9:perf_event:/ecs/my-cluster/${TASK}/${ID}`, { containerId: ID }],
  ['LXC, by name only', '0::/lxc.payload.web-1/system.slice/cron.service', {}],
  ['LXC, v1', '3:cpuset:/lxc/web-1', {}],
  ['systemd-nspawn', '0::/machine.slice/machine-debian.scope/payload', {}],
  ['a build id that is no container’s', `0::/ci.slice/build-${'a'.repeat(40)}.service`, {}],
  ['a word with pod in it', `0::/tripod${UID}/podium.slice`, {}],
  ['a path with a colon', `0::/odd:name/docker-${ID}.scope`, { containerId: ID }],
];

describe('the container and the pod in the control group of', () => {
  for (const [name, text, wanted] of CASES) {
    it(name, () => {
      assert.deepEqual(containerOf(parseCgroups(`${text}\n`)), wanted);
    });
  }
});
