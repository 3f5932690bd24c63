/** What the live source says of connections whose probes had been taken away. */
import assert from 'node:assert/strict';
import type { NativeBinding, NativeCaptureOptions } from '../../../src/capture/binding.ts';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createHostClock } from '../../../src/capture/host-clock.ts';
import { KERNEL_ABI as abi } from '../../../src/capture/kernel-record.ts';
import { createLiveSource, type LiveSource } from '../../../src/capture/live-source.ts';
import type {
  ProbeRest,
  RestOptions,
  TargetFile,
  TargetTracker,
} from '../../../src/capture/target-tracker.ts';
import { dataRecord } from '../../support/kernel-records.ts';

const PID = 41;
const FILE = { path: '/bin/server' } as TargetFile;
const { SL_DIRECTION_READ: READ, SL_DIRECTION_WRITE: WRITE } = abi;

describe('the live source, of probes that rest', () => {
  const clock = createHostClock();
  let source: LiveSource;
  let rest: RestOptions;
  let events: CaptureEvent[];
  let forgotten: number[];
  let capture: NativeCaptureOptions;

  beforeEach(async () => {
    events = [];
    forgotten = [];
    const counters = { drops: {}, droppedBytes: 0 };
    const binding = {
      open(options: NativeCaptureOptions) {
        capture = options;
        return {
          setProcess: () => undefined,
          features: () => ({ resting: true }),
          counters: () => counters,
          forgetConnection: (_pid: number, object: number) => forgotten.push(object),
          close: () => undefined,
        };
      },
    } as unknown as NativeBinding;
    const probes = {
      follow: (options: RestOptions) => {
        rest = options;
      },
      wake: () => undefined,
      wakeAll: () => undefined,
    } as unknown as ProbeRest;
    const targets = {
      begin: () => undefined,
      settled: async () => undefined,
      stop: () => undefined,
      rest: probes,
    } as unknown as TargetTracker;
    source = createLiveSource({
      binding,
      targets,
      watchAll: false,
      ringBytes: 65_536,
      letsProbesRest: true,
    });
    await source.start((event) => {
      events.push(event);
    });
  });
  afterEach(() => source.stop());

  /** A call on a connection that began at `generation`. */
  function call(
    object: number,
    direction: number,
    generation: bigint,
    time = clock.bootNs(),
  ): void {
    capture.onSlab(
      dataRecord('x', {
        'process.pid': PID,
        object: BigInt(object),
        generation,
        direction,
        time_ns: time,
        enter_ns: time,
      }),
    );
  }

  function marked(): string[] {
    return events.flatMap((event) =>
      event.type === 'loss' && event.reason === 'rested'
        ? [`${event.connection.object} ${event.direction}`]
        : [],
    );
  }

  it('marks a connection that was silent, and one that was last seen while the probes went', () => {
    const before = clock.bootNs();
    call(8, WRITE, before);
    call(16, WRITE, before);
    rest.onRest(FILE, 'reads', [PID]);
    call(16, READ, before);
    rest.beforeWake([PID], 'reads');
    assert.deepEqual(marked(), ['8 read', '16 read']);
    assert.deepEqual(forgotten, []);
  });

  it('lets connections of a server begin anew, those too that it accepted while the probes went', () => {
    call(8, READ, clock.bootNs());
    rest.onRest(FILE, 'everything', [PID]);
    call(16, READ, clock.bootNs());
    rest.beforeWake([PID], 'everything');
    assert.deepEqual(marked(), ['8 read', '8 write', '16 read', '16 write']);
    assert.deepEqual(forgotten, [8, 16]);
  });

  it('follows a connection on that calls for the probes, and marks what it asked before they were back', () => {
    rest.onRest(FILE, 'everything', [PID]);
    const asked = clock.bootNs();
    call(8, WRITE, asked);
    rest.beforeWake([PID], 'everything');
    assert.deepEqual(marked(), []);
    assert.deepEqual(forgotten, []);
    rest.onWake(FILE, 'traffic', [PID], 0n);
    call(8, WRITE, asked, asked + 1n);
    call(8, WRITE, asked);
    assert.deepEqual(marked(), ['8 read']);
  });
});
