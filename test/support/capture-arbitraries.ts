/** fast-check arbitraries of capture events. */
import fc from 'fast-check';
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  DecodedPiece,
  HandshakeCodeKind,
  HandshakeOutcome,
  LossReason,
  ProcessRef,
} from '../../src/capture/events.ts';

/** Objects like those of the code, so that they compare equal. */
const PLAIN = { noNullPrototype: true } as const;

const u64 = () => fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const u32 = () => fc.integer({ min: 0, max: 0xffff_ffff });
const count = () => fc.maxSafeNat();
const text = () => fc.string({ unit: 'binary', maxLength: 20 });
const argv = () => fc.array(text(), { maxLength: 5 });
const direction = () => fc.constantFrom('read' as const, 'write' as const);

export function processRef(): fc.Arbitrary<ProcessRef> {
  return fc.record({ pid: u32(), startNs: u64() }, PLAIN);
}

export function connectionRef(): fc.Arbitrary<ConnectionRef> {
  return fc.record(
    {
      process: processRef(),
      stack: fc.constant('openssl' as const),
      object: count(),
      generation: u64(),
    },
    PLAIN,
  );
}

function decodedPiece(): fc.Arbitrary<DecodedPiece> {
  return fc.record(
    {
      position: count(),
      length: u32(),
      content: fc.uint8Array({ maxLength: 90 }),
      outcome: fc.constantFrom('ok', 'corrupt', 'limit'),
    },
    PLAIN,
  );
}

export function dataEvent(): fc.Arbitrary<DataEvent> {
  return fc.record(
    {
      type: fc.constant('data' as const),
      timeNs: u64(),
      enterNs: u64(),
      tid: u32(),
      connection: connectionRef(),
      direction: direction(),
      position: count(),
      callBytes: count(),
      callOffset: count(),
      sequence: count(),
      bytes: fc.uint8Array({ maxLength: 600 }),
      decoded: fc.array(decodedPiece(), { maxLength: 3 }),
    },
    PLAIN,
  );
}

/** Every type of event, with and without its optional fields. */
export function captureEvent(): fc.Arbitrary<CaptureEvent> {
  const named = <const Name extends string>(type: Name) => ({
    type: fc.constant(type),
    timeNs: u64(),
  });
  return fc.oneof(
    { arbitrary: dataEvent(), weight: 5 },
    fc.record(
      {
        ...named('loss'),
        connection: connectionRef(),
        direction: direction(),
        position: count(),
        lostBytes: count(),
        reason: fc.constantFrom<LossReason>(
          'ring-full',
          'fault',
          'call-limit',
          'orphan',
          'bad-length',
        ),
      },
      PLAIN,
    ),
    fc.record(
      {
        ...named('skip'),
        connection: connectionRef(),
        direction: direction(),
        position: count(),
        skippedBytes: count(),
      },
      PLAIN,
    ),
    fc.record(
      {
        ...named('skip'),
        connection: connectionRef(),
        direction: direction(),
        position: count(),
        skippedBytes: count(),
        frameStream: count(),
        frameHeaders: count(),
        frameRemainderBytes: count(),
      },
      PLAIN,
    ),
    fc.record(
      {
        ...named('close'),
        connection: connectionRef(),
        readPosition: count(),
        writePosition: count(),
      },
      PLAIN,
    ),
    fc.record(
      {
        ...named('peer'),
        connection: connectionRef(),
        address: fc.oneof(fc.ipV4(), fc.ipV6()),
        port: fc.nat(0xffff),
        localAddress: fc.oneof(fc.ipV4(), fc.ipV6()),
        localPort: fc.nat(0xffff),
        isInferred: fc.boolean(),
      },
      PLAIN,
    ),
    fc.record(
      {
        ...named('handshake'),
        connection: connectionRef(),
        beginNs: u64(),
        outcome: fc.constantFrom<HandshakeOutcome>(
          'completed',
          'failed',
          'abandoned',
          'unverified',
        ),
        side: fc.constantFrom<'client' | 'server'>('client', 'server'),
        codeKind: fc.constantFrom<HandshakeCodeKind>(
          'openssl',
          'x509',
          'gnutls',
          'gnutls-status',
          'nss',
          'alert-sent',
          'alert-received',
        ),
        code: fc.nat(0xffff),
      },
      { ...PLAIN, requiredKeys: ['type', 'timeNs', 'connection', 'beginNs', 'outcome'] },
    ),
    fc.record({ ...named('server-name'), connection: connectionRef(), name: text() }, PLAIN),
    fc.record({ ...named('fork'), process: processRef(), parent: processRef() }, PLAIN),
    fc.record(
      {
        ...named('exec'),
        process: processRef(),
        parent: processRef(),
        executable: text(),
        argv: argv(),
        argvLostBytes: count(),
        uid: u32(),
        gid: u32(),
        cgroupId: u64(),
        comm: text(),
        serviceName: text(),
      },
      {
        noNullPrototype: true,
        requiredKeys: [
          'type',
          'timeNs',
          'process',
          'parent',
          'executable',
          'argv',
          'argvLostBytes',
          'uid',
          'gid',
          'cgroupId',
          'comm',
        ],
      },
    ),
    fc.record(
      { ...named('exit'), process: processRef(), exitCode: u32(), signal: u32() },
      { noNullPrototype: true, requiredKeys: ['type', 'timeNs', 'process'] },
    ),
    fc.record(
      {
        ...named('snapshot'),
        process: processRef(),
        parent: processRef(),
        executable: text(),
        argv: argv(),
        uid: u32(),
        gid: u32(),
        comm: text(),
        serviceName: text(),
      },
      {
        noNullPrototype: true,
        requiredKeys: [
          'type',
          'timeNs',
          'process',
          'parent',
          'executable',
          'argv',
          'uid',
          'gid',
          'comm',
        ],
      },
    ),
    fc.record(
      {
        ...named('details'),
        process: processRef(),
        owner: text(),
        containerId: text(),
        podUid: text(),
        packageName: text(),
        packageVersion: text(),
      },
      { noNullPrototype: true, requiredKeys: ['type', 'timeNs', 'process'] },
    ),
    fc.record(
      {
        ...named('host'),
        bootId: text(),
        machineId: text(),
        hostName: text(),
        arch: text(),
        osDescription: text(),
        clockOffsetNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
      },
      {
        noNullPrototype: true,
        requiredKeys: [
          'type',
          'timeNs',
          'bootId',
          'hostName',
          'arch',
          'osDescription',
          'clockOffsetNs',
        ],
      },
    ),
    fc.record(named('tick'), PLAIN),
    fc.record(
      {
        ...named('drops'),
        records: fc.dictionary(text(), count(), { maxKeys: 4 }).map((entries) => ({ ...entries })),
        bytes: count(),
      },
      PLAIN,
    ),
    fc.record(named('end'), PLAIN),
  );
}
