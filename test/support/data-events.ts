/** Bytes as the capture room tells of them: one whole call after the other on a connection, none lost. */
import type { ConnectionRef, DataEvent, Direction } from '../../src/capture/events.ts';

/** Makes the next event of a direction. */
export type DataEvents = (direction: Direction, bytes: Uint8Array, timeNs: bigint) => DataEvent;

export function createDataEvents(connection: ConnectionRef): DataEvents {
  const positions = { read: 0, write: 0 };
  const sequences = { read: 0, write: 0 };
  return (direction, bytes, timeNs) => {
    const position = positions[direction];
    positions[direction] += bytes.length;
    return {
      type: 'data',
      timeNs,
      enterNs: timeNs - 1n,
      tid: connection.process.pid,
      connection,
      direction,
      position,
      callBytes: bytes.length,
      callOffset: 0,
      sequence: sequences[direction]++,
      bytes,
    };
  };
}
