/**
 * Takes one WebSocket apart: the frames of both directions become messages, and messages become content.
 * RFC 6455 §5.4, https://www.rfc-editor.org/rfc/rfc6455#section-5.4; RFC 7692 for compressed ones.
 */
import type { ConnectionRef, DecodedPiece, Direction } from '../../capture/events.ts';
import type { ChunkTime, ConnectionParser } from '../../transport/connection.ts';
import { Damage, type DamageKind } from '../../util/damage.ts';
import type { SecretFinder } from '../../util/key-shapes.ts';
import { createEncodedScanner } from '../body-scanners.ts';
import { MAX_HELD_SOCKET_BYTES } from '../body-secret-scanner.ts';
import type { DecodeOutcome } from '../content-decoder.ts';
import type { BodySink } from '../exchange.ts';
import { takeDecoded } from '../message-body.ts';
import type { AgreedExtensions } from './extensions.ts';
import { type FrameHeader, isControl, MAX_CONTROL_BYTES, Opcode } from './frame-header.ts';
import { createFrameReader, type FrameLossCause } from './frame-reader.ts';
import type { WebSocketLimits } from './limits.ts';
import { createMessageInflate } from './message-inflate.ts';
import { createPayloadSecrets, type SecretReport } from './payload-secrets.ts';
import type {
  WebSocketClose,
  WebSocketConnection,
  WebSocketCounters,
  WebSocketMessage,
  WebSocketObserver,
} from './websocket.ts';

export interface WebSocketParserContext {
  limits: WebSocketLimits;
  counters: WebSocketCounters;
  /** What is secret besides what the built-in rules find. */
  findAddedSecrets?: SecretFinder;
  onSecret?(
    connection: ConnectionRef,
    direction: Direction,
    position: number,
    length: number,
    replacement?: Uint8Array,
  ): void;
  /** As of the http room: what pieces of compressed messages decode to. */
  onDecoded?(connection: ConnectionRef, direction: Direction, piece: DecodedPiece): void;
  onRelease?(connection: ConnectionRef, direction: Direction, upToPosition: number): void;
}

/** One direction. */
interface Side {
  data(bytes: Uint8Array, at: ChunkTime, position: number): void;
  gap(size: number | undefined, at: ChunkTime): void;
  letGo(): void;
  /** `canGoOn`: more may follow. */
  end(timeNs: bigint, canGoOn: boolean): void;
}

const NOTHING = new Uint8Array(0);

export function createWebSocketParser(
  socket: WebSocketConnection,
  extensions: AgreedExtensions,
  observer: WebSocketObserver,
  context: WebSocketParserContext,
): ConnectionParser {
  context.counters.sockets += 1;
  const write = createSide('write', socket, extensions, observer, context);
  const read = createSide('read', socket, extensions, observer, context);
  return {
    data(direction, bytes, at, position) {
      (direction === 'write' ? write : read).data(bytes, at, position);
    },
    gap(direction, size, at) {
      (direction === 'write' ? write : read).gap(size, at);
    },
    letGo() {
      write.letGo();
      read.letGo();
    },
    end(reason, timeNs) {
      const canGoOn = reason === 'timeout';
      write.end(timeNs, canGoOn);
      read.end(timeNs, canGoOn);
      observer.end?.(reason, timeNs);
    },
  };
}

function createSide(
  direction: Direction,
  socket: WebSocketConnection,
  extensions: AgreedExtensions,
  observer: WebSocketObserver,
  context: WebSocketParserContext,
): Side {
  const { limits, counters } = context;
  const isClient = (direction === 'write') === (socket.role === 'client');
  const sender = isClient ? 'client' : 'server';
  const isJoinedMidway = socket.upgrade === undefined;
  const secrets =
    context.onSecret && createPayloadSecrets(direction, reportSecret, context.findAddedSecrets);
  const keepsContext = !(isClient
    ? extensions.clientNoContextTakeover
    : extensions.serverNoContextTakeover);
  const decodingScanner = createEncodedScanner(
    { connection: socket.connection, direction, isAnswer: true },
    context,
    MAX_HELD_SOCKET_BYTES,
  );
  const inflate = createMessageInflate(keepsContext, limits, (bytes) => {
    decodingScanner?.content(bytes);
    deliver(bytes);
  });
  let ordinal = 0;
  /** The message that is not over, and what of it is wanted. */
  let message: WebSocketMessage | undefined;
  let sink: BodySink | undefined;
  /** It is compressed and being decompressed. */
  let isInflating = false;
  /** Its last byte was decompressed. */
  let isInflated = false;
  /** A recording had what it decodes to: nothing of it was decompressed. */
  let isGiven = false;
  /** Nothing more of its content is handed out. */
  let isCut = false;
  let nowNs = 0n;
  /** The frame being read. */
  let isControlFrame = false;
  let isFinalFrame = false;
  let frameBytes = 0;
  /** Frames of the message so far. */
  let fragments = 0;
  let key = 0;
  let opcode = 0;
  const control = new Uint8Array(MAX_CONTROL_BYTES);
  let controlBytes = 0;
  let controlPosition = 0;
  /** Behind its last byte so far: of one with a hole, farther than its bytes go. */
  let controlEnd = 0;
  let isControlWhole = true;
  /** Position after the last byte seen. */
  let end = 0;

  function reportSecret(...[way, position, length, replacement]: Parameters<SecretReport>): void {
    if (length > 0) {
      context.onSecret?.(socket.connection, way, position, length, replacement);
    }
  }

  // ---- messages --------------------------------------------------------------------------------------------

  function beginMessage(header: FrameHeader, start: ChunkTime, at: ChunkTime): void {
    counters.messages += 1;
    nowNs = at.timeNs;
    message = {
      direction,
      sender,
      opcode: header.opcode === Opcode.text ? 'text' : 'binary',
      ordinal,
      isCompressed: header.isCompressed,
      startNs: start.enterNs,
      endNs: at.timeNs,
      wireBytes: 0,
      contentBytes: 0,
      complete: false,
      damage: new Damage(),
    };
    ordinal += 1;
    fragments = 0;
    isCut = false;
    isInflating = false;
    isInflated = false;
    isGiven = false;
    sink = undefined;
    const cause = header.isCompressed ? beginInflating() : undefined;
    if (cause !== undefined) {
      message.damage.add(cause);
    }
    sink = observer.message?.(message);
    if (cause !== undefined) {
      cut(at.timeNs);
    }
  }

  /** Why a compressed message cannot be decoded; undefined when it can. */
  function beginInflating(): DamageKind | undefined {
    if (socket.compression !== 'permessage-deflate') {
      return isJoinedMidway ? 'joined-midway' : 'decode-error';
    }
    const isNeeded = observer.message !== undefined || decodingScanner !== undefined;
    const cause = isNeeded ? inflate.begin() : undefined;
    isInflating = isNeeded && cause === undefined;
    return cause;
  }

  /** From here on the content is not known. */
  function cut(timeNs: bigint): void {
    if (!isCut) {
      isCut = true;
      sink?.gap(timeNs);
    }
  }

  /** A frame of the message began: a peer may announce, and go on with, as much as it likes. */
  function checkFrame(timeNs: bigint): void {
    fragments += 1;
    const isOver = frameBytes > limits.maxFrameBytes || fragments > limits.maxFragments;
    if (isOver && message !== undefined && !isCut) {
      message.damage.add('limit');
      cut(timeNs);
    }
  }

  /** Content, up to the limit. */
  function deliver(bytes: Uint8Array): void {
    if (message === undefined || isCut) {
      return;
    }
    const room = limits.maxMessageBytes - message.contentBytes;
    const isOver = bytes.length > room;
    const part = isOver ? bytes.subarray(0, room) : bytes;
    message.contentBytes += part.length;
    if (part.length > 0) {
      sink?.data(part, nowNs);
    }
    if (isOver) {
      message.damage.add('limit');
      cut(nowNs);
    }
  }

  /** Payload of a message whose beginning was lost: it may be compressed. */
  function pushOrphan(bytes: Uint8Array, position: number, offset: number): void {
    if (socket.compression === 'none') {
      secrets?.push(bytes, position, offset, key);
    } else {
      decodingScanner?.unread(position, bytes.length);
    }
  }

  function inflatePiece(
    bytes: Uint8Array,
    isLast: boolean,
    at: ChunkTime,
    position: number,
  ): DecodeOutcome {
    if (at.decoded !== undefined) {
      isGiven = true;
      return takeDecoded(at.decoded, position, bytes.length, deliver);
    }
    decodingScanner?.begin(position, bytes.length);
    const outcome = isLast ? inflate.pushLast(bytes) : inflate.push(bytes);
    decodingScanner?.outcome(outcome);
    return outcome;
  }

  function judge(outcome: DecodeOutcome): void {
    if (outcome !== 'ok' && message !== undefined) {
      message.damage.add(outcome === 'limit' ? 'limit' : 'decode-error');
      isInflating = false;
      cut(nowNs);
    }
  }

  function finishMessage(complete: boolean, timeNs: bigint): void {
    const finished = message;
    secrets?.endMessage();
    if (finished === undefined) {
      return;
    }
    let outcome: DecodeOutcome = 'ok';
    if (isInflating && complete && !isInflated && !isGiven) {
      outcome = inflate.pushLast(NOTHING);
      judge(outcome);
    }
    decodingScanner?.endRecord(outcome);
    message = undefined;
    finished.complete = complete;
    if (finished.damage.any) {
      counters.damagedMessages += 1;
      counters.messageLimits += finished.damage.kinds.has('limit') ? 1 : 0;
    }
    sink?.end(complete, timeNs);
    sink = undefined;
    isInflating = false;
    observer.messageEnd?.(finished, timeNs);
  }

  function loseMessage(kind: DamageKind, size: number | undefined, timeNs: bigint): void {
    if (message !== undefined) {
      message.damage.add(kind, size ?? 0);
      if (kind !== 'truncated') {
        cut(timeNs);
      }
      finishMessage(false, timeNs);
    }
  }

  // ---- frames ----------------------------------------------------------------------------------------------

  /** What is there of a control frame was not searched, and cannot be. */
  function overwriteControl(): void {
    if (controlBytes > 0) {
      reportSecret(direction, controlPosition, controlEnd - controlPosition);
    }
  }

  /** The rest of a control frame will not come. */
  function dropControl(): void {
    if (isControlFrame) {
      overwriteControl();
      isControlFrame = false;
    }
  }

  function endControl(at: ChunkTime): void {
    const payload = control.subarray(0, controlBytes);
    if (isControlWhole) {
      secrets?.control(payload, controlPosition, key);
    } else {
      overwriteControl();
    }
    if (opcode !== Opcode.close) {
      return;
    }
    loseMessage('truncated', undefined, at.timeNs);
    const close: WebSocketClose = { direction, sender, reason: '' };
    if (isControlWhole && payload.length >= 2) {
      close.code = (payload[0] as number) * 256 + (payload[1] as number);
      close.reason = Buffer.from(payload.subarray(2)).toString('utf8');
    }
    observer.close?.(close, at.timeNs);
  }

  const reader = createFrameReader(
    { isMasked: isClient, mayBeCompressed: socket.compression !== 'none' },
    limits,
    isJoinedMidway,
    {
      frame(header, start, at) {
        key = header.key;
        isControlFrame = isControl(header);
        if (isControlFrame) {
          opcode = header.opcode;
          controlBytes = 0;
          isControlWhole = true;
          return;
        }
        isFinalFrame = header.isFinal;
        frameBytes = header.payloadBytes;
        if (header.opcode !== Opcode.continuation) {
          beginMessage(header, start, at);
        } else if (message === undefined) {
          counters.orphanFrames += 1;
        } else {
          message.endNs = at.timeNs;
        }
        checkFrame(at.timeNs);
      },

      payload(bytes, at, position, offset) {
        if (isControlFrame) {
          if (controlBytes === 0) {
            controlPosition = position;
          }
          control.set(bytes, controlBytes);
          controlBytes += bytes.length;
          controlEnd = position + bytes.length;
          return;
        }
        if (message === undefined) {
          pushOrphan(bytes, position, offset);
          return;
        }
        if (!message.isCompressed) {
          secrets?.push(bytes, position, offset, key);
        } else if (!isInflating) {
          decodingScanner?.unread(position, bytes.length);
        }
        nowNs = at.timeNs;
        message.endNs = nowNs;
        message.wireBytes += bytes.length;
        if (isInflating) {
          const isLast = isFinalFrame && offset + bytes.length === frameBytes;
          isInflated = isLast;
          judge(inflatePiece(bytes, isLast, at, position));
        } else if (!message.isCompressed) {
          deliver(bytes);
        }
      },

      payloadGap(size, at) {
        secrets?.end();
        if (isControlFrame) {
          isControlWhole = false;
          return;
        }
        if (message === undefined) {
          return;
        }
        message.endNs = at.timeNs;
        message.wireBytes += size;
        message.damage.add('gap', size);
        if (message.isCompressed) {
          isInflating = false;
          inflate.lose('gap');
          decodingScanner?.end('ok');
          cut(at.timeNs);
        } else if (!isCut) {
          sink?.gap(at.timeNs);
        }
      },

      frameEnd(at) {
        nowNs = at.timeNs;
        if (isControlFrame) {
          endControl(at);
          isControlFrame = false;
        } else if (isFinalFrame) {
          if (message) {
            message.endNs = at.timeNs;
          }
          finishMessage(true, at.timeNs);
        }
      },

      lost(cause: FrameLossCause, size, at) {
        secrets?.end();
        dropControl();
        if (cause === 'decode-error') {
          counters.framingErrors += 1;
        }
        inflate.lose(cause);
        decodingScanner?.end('ok');
        loseMessage(cause, size, at.timeNs);
        observer.gap?.(direction, size, at.timeNs);
      },

      found() {
        counters.resynchronisations += 1;
      },

      unread: (position, length) => reportSecret(direction, position, length),
    },
  );

  function release(): void {
    const held = reader.heldPosition ?? end;
    const pending = secrets?.pendingPosition ?? end;
    const controlStart = isControlFrame && controlBytes > 0 ? controlPosition : end;
    const decoding = decodingScanner?.pendingPosition ?? end;
    const upTo = Math.min(held, pending, decoding, controlStart, end);
    context.onRelease?.(socket.connection, direction, upTo);
  }

  return {
    data(bytes, at, position) {
      end = position + bytes.length;
      reader.data(bytes, at, position);
      release();
    },
    gap(size, at) {
      reader.gap(size, at);
      release();
    },
    letGo() {
      secrets?.letGo();
      decodingScanner?.letGo();
      release();
    },
    end(timeNs, canGoOn) {
      if (message !== undefined && canGoOn) {
        // What comes of it later is read over; but messages after it may refer to what it held.
        inflate.lose('truncated');
      }
      loseMessage('truncated', undefined, timeNs);
      reader.end();
      secrets?.end();
      decodingScanner?.end('ok');
      dropControl();
      release();
    },
  };
}
