/** The scanners of a message's body, for a recorder: of one that is encoded, what it decodes to is searched. */
import type { ConnectionRef, Direction } from '../capture/events.ts';
import {
  type BodySecretScanner,
  createBodySecretScanner,
  createStreamSecretScanner,
} from './body-secret-scanner.ts';
import { createDecodingScanner, type DecodingScanner } from './decoding-scanner.ts';
import type { HttpContext } from './http-options.ts';

/** Where the body is. */
export interface BodyPlace {
  connection: ConnectionRef;
  direction: Direction;
  /** Of an answer keys are looked for that come in pieces. */
  isAnswer: boolean;
}

/** Undefined when nobody records. */
export function createPlainScanner(
  { connection, direction, isAnswer }: BodyPlace,
  { onSecret, findAddedSecrets }: HttpContext,
): BodySecretScanner | undefined {
  const create = isAnswer ? createStreamSecretScanner : createBodySecretScanner;
  return (
    onSecret &&
    create(
      (position, length, replacement) =>
        onSecret(connection, direction, position, length, replacement),
      findAddedSecrets,
    )
  );
}

/**
 * The same for a body whose head was lost: it may be encoded, and is taken to be from the first byte on that no text has.
 */
export function createHeadlessScanner(
  place: BodyPlace,
  http: HttpContext,
): BodySecretScanner | undefined {
  const scanner = createPlainScanner(place, http);
  let isText = true;
  return (
    scanner && {
      push(bytes, position) {
        const textBytes = isText ? textLength(bytes) : 0;
        if (textBytes > 0) {
          scanner.push(bytes.subarray(0, textBytes), position);
        }
        if (textBytes < bytes.length) {
          isText = false;
          const { connection, direction } = place;
          http.onSecret?.(connection, direction, position + textBytes, bytes.length - textBytes);
        }
      },
      letGo: scanner.letGo,
      end: scanner.end,
      get pendingPosition() {
        return scanner.pendingPosition;
      },
    }
  );
}

/** Bytes before the first one that no text has. */
function textLength(bytes: Uint8Array): number {
  const end = bytes.findIndex(
    (byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d,
  );
  return end < 0 ? bytes.length : end;
}

/** Undefined when nobody records. `maxHeldBytes` as of `createStreamSecretScanner`. */
export function createEncodedScanner(
  { connection, direction, isAnswer }: BodyPlace,
  sinks: Pick<HttpContext, 'onSecret' | 'onDecoded' | 'findAddedSecrets'>,
  maxHeldBytes?: number,
): DecodingScanner | undefined {
  const { onSecret, onDecoded, findAddedSecrets } = sinks;
  return (
    onSecret &&
    createDecodingScanner({
      onDecoded(piece) {
        if (onDecoded === undefined) {
          onSecret(connection, direction, piece.position, piece.length);
        } else {
          onDecoded(connection, direction, piece);
        }
      },
      onUnread: (position, length) => onSecret(connection, direction, position, length),
      createScanner: (onFound) =>
        isAnswer
          ? createStreamSecretScanner(onFound, findAddedSecrets, maxHeldBytes)
          : createBodySecretScanner(onFound, findAddedSecrets),
    })
  );
}
