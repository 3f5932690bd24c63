/**
 * One HTTP/2 connection: frames of both directions, sorted into streams, reported as exchanges.
 * RFC 9113, https://www.rfc-editor.org/rfc/rfc9113
 *
 * What a loss touches:
 *
 * - Bytes missing inside one frame are counted off: a DATA frame's cost its stream alone; a header block's cost
 *   that exchange its head, and the direction its header table.
 * - Any other loss may have taken frames of every stream whose message was under way in that direction, and
 *   header blocks, so that the table is unknown from there on. A message whose head comes later is whole.
 */
import type { ConnectionRef, Direction } from '../../capture/events.ts';
import type { ChunkTime, ConnectionParser, SkippedFrames } from '../../transport/connection.ts';
import type { DamageKind } from '../../util/damage.ts';
import { findSecretsInLine, type SecretFinder, type SecretPlace } from '../../util/key-shapes.ts';
import { isSecretHeader } from '../../util/secret-headers.ts';
import { findSecretsInTarget } from '../credentials.ts';
import type { Exchange } from '../exchange.ts';
import { secretsOfField } from '../head.ts';
import type { HttpContext } from '../http-options.ts';
import { leaveOutStreams } from '../verdicts.ts';
import {
  FRAME_HEADER_BYTES,
  FrameFlag,
  type FrameHeader,
  FrameType,
  INITIAL_MAX_FRAME_BYTES,
  readUint31,
} from './frame.ts';
import type { ChainContext } from './frame-chain.ts';
import { createFrameReader, type FrameReader } from './frame-reader.ts';
import { type BlockFault, HeaderBlock } from './header-block.ts';
import { HeaderList } from './header-list.ts';
import { createHpackDecoder, type HpackDecoder } from './hpack-decoder.ts';
import { type HoldingScanner, Http2Stream, type StreamContext } from './http2-stream.ts';

/** How a connection came to speak HTTP/2, when it was not from its first byte on. */
export interface Http2Beginning {
  /** The exchange that upgraded to h2c: stream 1 carries its response (RFC 7540 §3.2). */
  upgraded?: Exchange;
}

export interface Http2Connection extends ConnectionParser {
  /** The place in this direction's bytes is not known: what comes next need not be HTTP/2 at all. */
  isSearching(direction: Direction): boolean;
}

/** Ids of streams that ended lately: what still comes for them is no stream of its own. */
const MAX_ENDED_IDS = 1024;
/** Control frames are small; of GOAWAY only the fixed part is read. */
const MAX_CONTROL_BYTES = 256;
const SETTING_MAX_FRAME_SIZE = 5;
/** SETTINGS_MAX_FRAME_SIZE of a peer whose SETTINGS were not seen: what common software announces at most. */
const UNSEEN_MAX_FRAME_BYTES = 1_048_576;
/** How far ahead of the streams seen a new one may be: requests lost in between. */
const MAX_ID_JUMP = 1_000_000;

/** One direction. */
interface Half {
  readonly direction: Direction;
  readonly reader: FrameReader;
  readonly block: HeaderBlock;
  readonly hpack: HpackDecoder;
  /** Why the table may lack entries. */
  tableDamage: DamageKind;
  /** The frame being read. */
  type: number;
  flags: number;
  frameStream: number;
  /** Stream of the DATA frame being read; undefined when it is not followed. */
  stream: Http2Stream | undefined;
  control: Uint8Array;
  controlBytes: number;
  /** Bytes were passed over since the place was lost. */
  hasSkipped: boolean;
  /** Any byte has come. */
  isStarted: boolean;
  /** SETTINGS_MAX_FRAME_SIZE that this side announced; undefined while its SETTINGS were not seen. */
  maxFrameBytes: number | undefined;
  /** Stream whose DATA frames the kernel is told to leave out, while it is open. */
  unwantedStream: number | undefined;
  /** Position after the last byte seen. */
  end: number;
}

export function createHttp2Connection(
  connection: ConnectionRef,
  context: HttpContext,
  beginning: Http2Beginning = {},
): Http2Connection {
  const { limits, counters, streamTimeoutNs } = context;
  const counts = counters.http2;
  const scanners: Record<Direction, Set<HoldingScanner>> = {
    read: new Set(),
    write: new Set(),
  };
  /** Open streams, the one opened first first. */
  const streams = new Map<number, Http2Stream>();
  const endedIds = new Set<number>();
  let ordinal = 0;
  let requestDirection: Direction | undefined;
  /** The client's preface was not seen: there may be streams and table entries from before. */
  let isJoinedMidway = true;
  let hasLost = false;
  let highestId = 0;
  /** First stream whose request was seen. */
  let firstRequestId = Number.MAX_SAFE_INTEGER;
  let nextIdleCheckNs = 0n;
  const streamContext: StreamContext = { http: context, connection, role: 'client', scanners };
  const read = createHalf('read');
  const write = createHalf('write');

  // ---- roles -----------------------------------------------------------------------------------------------

  /** Until anything tells, the process is taken for the client. */
  function isRequestSide(half: Half): boolean {
    return half.direction === (requestDirection ?? 'write');
  }

  function setRequestDirection(direction: Direction, timeNs: bigint): void {
    if (requestDirection !== undefined) {
      return;
    }
    if (direction === 'read') {
      // What was opened so far had its sides the wrong way round.
      for (const stream of [...streams.values()]) {
        endStream(stream, 'joined-midway', timeNs);
      }
    }
    requestDirection = direction;
    streamContext.role = direction === 'write' ? 'client' : 'server';
  }

  // ---- streams ---------------------------------------------------------------------------------------------

  function openStream(id: number, timeNs: bigint): Http2Stream {
    if (streams.size >= limits.maxOpenStreams) {
      const oldest = streams.values().next().value;
      if (oldest) {
        counts.streamLimits += 1;
        oldest.exchange.damage.add('limit');
        endStream(oldest, 'limit', timeNs);
      }
    }
    const stream = new Http2Stream(id, ordinal, streamContext, timeNs);
    ordinal += 1;
    streams.set(id, stream);
    highestId = Math.max(highestId, id);
    return stream;
  }

  function endStream(stream: Http2Stream, kind: DamageKind, timeNs: bigint): void {
    streams.delete(stream.id);
    endedIds.add(stream.id);
    if (endedIds.size > MAX_ENDED_IDS) {
      const first = endedIds.values().next().value;
      if (first !== undefined) {
        endedIds.delete(first);
      }
    }
    read.stream = read.stream === stream ? undefined : read.stream;
    write.stream = write.stream === stream ? undefined : write.stream;
    read.unwantedStream = read.unwantedStream === stream.id ? undefined : read.unwantedStream;
    write.unwantedStream = write.unwantedStream === stream.id ? undefined : write.unwantedStream;
    stream.finish(kind, timeNs);
  }

  /** Why a stream's beginning was not seen. */
  function unseenCause(id: number): DamageKind {
    return isJoinedMidway && (!hasLost || id < firstRequestId) ? 'joined-midway' : 'gap';
  }

  /** The stream a frame belongs to, opened if its beginning may have been missed. */
  function streamOf(id: number, timeNs: bigint): Http2Stream | undefined {
    const stream = streams.get(id);
    if (stream !== undefined) {
      return stream;
    }
    // Even ids are pushes. Without any loss an older stream is over: late frames of one that was reset. A newer one
    // has had a request that was lost, which the next position in that direction will show.
    const mayBeMissed = isJoinedMidway || hasLost || id > highestId;
    if (id % 2 === 0 || endedIds.has(id) || !mayBeMissed) {
      counts.strayFrames += 1;
      return undefined;
    }
    return openStream(id, timeNs);
  }

  function endHalf(stream: Http2Stream, direction: Direction, at: ChunkTime): void {
    if (stream.endHalf(direction, at)) {
      endStream(stream, 'truncated', at.timeNs);
    }
  }

  function endIdle(nowNs: bigint): void {
    if (nowNs < nextIdleCheckNs) {
      return;
    }
    nextIdleCheckNs = nowNs + streamTimeoutNs / 20n;
    for (const stream of streams.values()) {
      if (nowNs - stream.lastNs > streamTimeoutNs && !stream.rest(nowNs)) {
        counts.idleStreams += 1;
        endStream(stream, 'truncated', nowNs);
      }
    }
  }

  // ---- header blocks ---------------------------------------------------------------------------------------

  function closeBlock(half: Half, at: ChunkTime): void {
    const { block, direction } = half;
    counts.headerBlocks += 1;
    if (block.fault !== undefined) {
      block.close();
      half.hpack.table.forget();
      half.tableDamage = block.fault;
      counts.blockLimits += block.fault === 'limit' ? 1 : 0;
      unreadBlock(half, block.fault, at);
      return;
    }
    const list = new HeaderList(limits);
    const drops = half.hpack.table.limitDrops;
    const outcome = half.hpack.decode(block.bytes, {
      field: (name, value) => list.add(name, value),
      secret(offset, length, replacement) {
        block.locate(offset, length, (position, from, to) => {
          const part = replacement?.subarray(from - offset, to - offset);
          context.onSecret?.(connection, direction, position, to - from, part);
        });
      },
    });
    block.close();
    counts.unknownFields += list.unknownFields;
    if (half.hpack.table.limitDrops > drops) {
      counts.tableLimits += 1;
      half.tableDamage = 'limit';
    }
    if (outcome !== 'ok') {
      counts.headerErrors += 1;
    }
    if (block.isPromise) {
      counts.pushes += 1;
      return;
    }
    const stream = placeHeaders(half, list, at);
    if (stream === undefined) {
      return;
    }
    const { damage } = stream.exchange;
    if (outcome !== 'ok') {
      damage.add('decode-error');
    } else if (list.unknownFields > 0) {
      damage.add(half.tableDamage);
    }
    if (outcome === 'broken') {
      half.tableDamage = 'decode-error';
    }
    stream.lastNs = at.timeNs;
    if (block.isEndStream) {
      endHalf(stream, direction, at);
    }
  }

  /** A block whose fields are lost, though its stream and its end are known. */
  function unreadBlock(half: Half, fault: BlockFault, at: ChunkTime): void {
    const { block, direction } = half;
    const { streamId, lostBytes } = block;
    if (block.isPromise || streamId % 2 === 0 || endedIds.has(streamId)) {
      return;
    }
    const stream = streams.get(streamId) ?? openStream(streamId, at.timeNs);
    if (stream.hasHead(direction)) {
      stream.exchange.damage.add(fault, lostBytes);
    } else {
      stream.loseHead(direction, fault, lostBytes);
    }
    if (block.isEndStream) {
      endHalf(stream, direction, at);
    }
  }

  /** Gives the fields to the stream they belong to; undefined when it is not followed. */
  function placeHeaders(half: Half, list: HeaderList, at: ChunkTime): Http2Stream | undefined {
    const { block, direction } = half;
    const { streamId, startTime } = block;
    if (requestDirection === undefined) {
      learnRole(half, list, at.timeNs);
    }
    if (isRequestSide(half)) {
      return placeRequest(half, list, at);
    }
    const stream = streamOf(streamId, at.timeNs);
    if (stream === undefined) {
      return undefined;
    }
    if (!stream.hasHead(requestSide().direction)) {
      stream.loseHead(requestSide().direction, unseenCause(streamId), 0);
    }
    if (stream.hasHead(direction)) {
      stream.trailers(direction, list, at);
    } else if (list.status !== undefined && list.status < 200) {
      // An interim response: the final one follows (RFC 9110 §15.2).
    } else if (list.status !== undefined || list.isFirstUnknown) {
      stream.responseHead(list, startTime, at);
    } else {
      stream.adopt(direction, unseenCause(streamId), startTime);
      stream.trailers(direction, list, at);
    }
    return stream;
  }

  function requestSide(): Half {
    return isRequestSide(write) ? write : read;
  }

  function learnRole(half: Half, list: HeaderList, timeNs: bigint): void {
    if (list.status !== undefined) {
      setRequestDirection(half.direction === 'read' ? 'write' : 'read', timeNs);
    } else if (list.method !== undefined || list.path !== undefined) {
      setRequestDirection(half.direction, timeNs);
    }
  }

  function placeRequest(half: Half, list: HeaderList, at: ChunkTime): Http2Stream | undefined {
    const { block, direction } = half;
    const { streamId, startTime } = block;
    const known = streams.get(streamId);
    if (known?.hasHead(direction)) {
      known.trailers(direction, list, at);
      return known;
    }
    if (streamId % 2 === 0 || endedIds.has(streamId)) {
      counts.strayFrames += 1;
      return undefined;
    }
    if (known === undefined && !list.hasPseudo && !list.isFirstUnknown) {
      const unseen = streamOf(streamId, at.timeNs);
      unseen?.adopt(direction, unseenCause(streamId), startTime);
      unseen?.trailers(direction, list, at);
      return unseen;
    }
    const stream = known ?? openStream(streamId, at.timeNs);
    firstRequestId = Math.min(firstRequestId, streamId);
    stream.requestHead(list, startTime, at, block.isEndStream);
    return stream;
  }

  // ---- frames ----------------------------------------------------------------------------------------------

  function beginFrame(half: Half, header: FrameHeader, start: ChunkTime): boolean {
    const { type, flags, streamId, length } = header;
    const { block } = half;
    counts.frames += 1;
    counts.frameLimits += length > limits.maxFrameBytes ? 1 : 0;
    half.type = type;
    half.flags = flags;
    half.frameStream = streamId;
    half.controlBytes = 0;
    half.stream = undefined;
    if (length > allowedFrameBytes(half) || isFarAhead(streamId)) {
      return false;
    }
    // Nothing may come between the frames of a block (RFC 9113 §4.3).
    if (block.isOpen && (type !== FrameType.continuation || streamId !== block.streamId)) {
      return false;
    }
    switch (type) {
      case FrameType.data:
        half.stream = dataStream(half, streamId, start);
        break;
      case FrameType.headers:
      case FrameType.pushPromise:
        block.open(streamId, start);
        block.isPromise = type === FrameType.pushPromise;
        block.isEndStream = type === FrameType.headers && (flags & FrameFlag.endStream) !== 0;
        break;
      case FrameType.continuation:
        if (!block.isOpen) {
          return beginTail(half, streamId, start);
        }
        if (!block.goOn()) {
          failBlock(half, 'limit');
        }
        break;
      default:
        break;
    }
    return true;
  }

  /** Where a peer would give up the connection, what it costs is that frame, and its stream if it has one. */
  function passMalformed(half: Half, header: FrameHeader, at: ChunkTime): void {
    counters.framingErrors += 1;
    if (half.block.isOpen) {
      // Nothing may come between its frames: it gets no more of them.
      failBlock(half, 'decode-error');
      closeBlock(half, at);
    }
    half.type = FrameType.ping;
    half.flags = 0;
    half.stream = undefined;
    const stream = streams.get(header.streamId);
    if (stream !== undefined) {
      stream.exchange.damage.add('decode-error');
      stream.lastNs = at.timeNs;
    }
  }

  /** Streams are opened in order (RFC 9113 §5.1.1): one this far ahead is none. */
  function isFarAhead(streamId: number): boolean {
    const isBasisKnown = firstRequestId !== Number.MAX_SAFE_INTEGER;
    return isBasisKnown && streamId > highestId + MAX_ID_JUMP && streamId % 2 === 1;
  }

  /** What the peer allows (RFC 9113 §4.2), where that is known. */
  function allowedFrameBytes(half: Half): number {
    const peer = half.direction === 'read' ? write : read;
    const isKnown = !isJoinedMidway && !hasLost;
    return peer.maxFrameBytes ?? (isKnown ? INITIAL_MAX_FRAME_BYTES : UNSEEN_MAX_FRAME_BYTES);
  }

  /** A CONTINUATION whose block began in a loss: the end of the block is known, its fields are not. */
  function beginTail(half: Half, streamId: number, start: ChunkTime): boolean {
    if (!(isJoinedMidway || hasLost)) {
      return false;
    }
    half.block.open(streamId, start);
    half.block.fault = 'gap';
    // Trailers end a stream as heads may; whether this one did was in the frame that is lost.
    return true;
  }

  function dataStream(half: Half, id: number, start: ChunkTime): Http2Stream | undefined {
    const stream = streams.get(id) ?? streamOf(id, start.timeNs);
    if (stream === undefined || !stream.isOpen(half.direction)) {
      return undefined;
    }
    if (!stream.hasHead(half.direction)) {
      const side = requestSide();
      if (side !== half && !stream.hasHead(side.direction)) {
        stream.loseHead(side.direction, unseenCause(id), 0);
      }
      stream.adopt(half.direction, unseenCause(id), start);
    }
    return stream;
  }

  function payload(half: Half, bytes: Uint8Array, at: ChunkTime, position: number): void {
    switch (half.type) {
      case FrameType.data:
        if (half.stream) {
          half.stream.data(half.direction, bytes, at, position);
          judge(half, half.stream);
        } else {
          secret(half, position, bytes.length);
        }
        break;
      case FrameType.headers:
      case FrameType.pushPromise:
      case FrameType.continuation:
        pushBlock(half, bytes, position);
        break;
      default:
        collectControl(half, bytes, position);
    }
  }

  /** A body that nobody looks at need not be copied: one at a time, which is what the kernel can follow. */
  function judge(half: Half, stream: Http2Stream): void {
    const { direction } = half;
    const isAsked = context.onVerdict !== undefined && half.unwantedStream === undefined;
    if (isAsked && !isJoinedMidway && stream.judge(direction)) {
      half.unwantedStream = stream.id;
      context.onVerdict?.(
        connection,
        leaveOutStreams({ read: read.unwantedStream, write: write.unwantedStream }),
      );
    }
  }

  function skipFrames(half: Half, size: number, at: ChunkTime, frames: SkippedFrames): void {
    const wasSearching = half.reader.isSearching;
    half.reader.goOnWithin(frames.stream, frames.remainderBytes);
    if (wasSearching) {
      found(half, at);
    }
    const stream = streams.get(frames.stream);
    counts.frames += frames.headers;
    stream?.dataSkip(half.direction, size - frames.headers * FRAME_HEADER_BYTES, at);
    half.type = FrameType.data;
    half.flags = 0;
    half.frameStream = frames.stream;
    half.stream = frames.remainderBytes > 0 ? stream : undefined;
  }

  function collectControl(half: Half, bytes: Uint8Array, position: number): void {
    const isKnown = half.type <= FrameType.continuation;
    const room = isKnown ? MAX_CONTROL_BYTES - half.controlBytes : 0;
    const kept = Math.min(room, bytes.length);
    half.control.set(bytes.subarray(0, kept), half.controlBytes);
    half.controlBytes += kept;
    // Debug data of GOAWAY, and whatever an extension carries, is examined by nobody.
    if (half.type === FrameType.goaway || !isKnown) {
      secret(half, position, bytes.length);
    }
  }

  function payloadGap(half: Half, size: number, cause: BlockFault, at: ChunkTime): void {
    switch (half.type) {
      case FrameType.data:
        half.stream?.dataGap(half.direction, size, cause, at);
        break;
      case FrameType.headers:
      case FrameType.pushPromise:
      case FrameType.continuation:
        failBlock(half, cause);
        half.block.lostBytes += size;
        break;
      default:
        // A half-read control frame says nothing.
        half.controlBytes = 0;
        half.type = FrameType.ping;
    }
  }

  function pushBlock(half: Half, bytes: Uint8Array, position: number): void {
    const { block } = half;
    if (block.fault === undefined && !block.push(bytes, position)) {
      failBlock(half, 'limit');
    }
    if (block.fault !== undefined) {
      secret(half, position, bytes.length);
    }
  }

  /** The block cannot be read. What was kept of it is secret: it may hold any field. */
  function failBlock(half: Half, fault: BlockFault): void {
    const { block } = half;
    if (block.isOpen && block.fault === undefined) {
      block.fault = fault;
      block.locate(0, block.bytes.length, (position, from, to) => {
        secret(half, position, to - from);
      });
    }
  }

  function endFrame(half: Half, at: ChunkTime): void {
    switch (half.type) {
      case FrameType.data: {
        const { stream } = half;
        half.stream = undefined;
        if (stream && (half.flags & FrameFlag.endStream) !== 0) {
          endHalf(stream, half.direction, at);
        }
        break;
      }
      case FrameType.headers:
      case FrameType.pushPromise:
      case FrameType.continuation:
        if ((half.flags & FrameFlag.endHeaders) !== 0) {
          closeBlock(half, at);
        }
        break;
      case FrameType.rstStream: {
        const stream = streams.get(half.frameStream);
        if (stream) {
          endStream(stream, 'truncated', at.timeNs);
        }
        break;
      }
      case FrameType.settings:
        readSettings(half);
        break;
      case FrameType.goaway:
        readGoaway(half, at);
        break;
      default:
        break;
    }
  }

  function readSettings(half: Half): void {
    if ((half.flags & FrameFlag.ack) !== 0) {
      return;
    }
    half.maxFrameBytes ??= INITIAL_MAX_FRAME_BYTES;
    for (let at = 0; at + 6 <= half.controlBytes; at += 6) {
      const id = ((half.control[at] as number) << 8) | (half.control[at + 1] as number);
      if (id === SETTING_MAX_FRAME_SIZE) {
        half.maxFrameBytes = Math.max(half.maxFrameBytes, readUint31(half.control, at + 2));
      }
    }
  }

  /** A server tells up to which stream it answers; those beyond get no answer here (RFC 9113 §6.8). */
  function readGoaway(half: Half, at: ChunkTime): void {
    if (isRequestSide(half) || half.controlBytes < 8) {
      return;
    }
    const lastId = readUint31(half.control, 0);
    for (const stream of [...streams.values()]) {
      if (stream.id > lastId && !stream.hasHead(half.direction)) {
        endStream(stream, 'truncated', at.timeNs);
      }
    }
  }

  // ---- losses ----------------------------------------------------------------------------------------------

  function lose(half: Half, cause: DamageKind, at: ChunkTime): void {
    counts.losses += 1;
    counters.framingErrors += cause === 'decode-error' ? 1 : 0;
    hasLost = true;
    half.hasSkipped = false;
    half.stream = undefined;
    if (half.block.isOpen) {
      failBlock(half, 'gap');
      const { streamId, fault, lostBytes } = half.block;
      half.block.close();
      streams.get(streamId)?.exchange.damage.add(fault ?? 'gap', lostBytes);
    }
    half.hpack.table.forget();
    half.tableDamage = cause;
    touchStreams(half, cause, at);
  }

  /** Frames of any message under way may be missing. */
  function touchStreams(half: Half, cause: DamageKind, at: ChunkTime): void {
    for (const stream of [...streams.values()]) {
      if (stream.lose(half.direction, cause, at)) {
        endStream(stream, 'truncated', at.timeNs);
      }
    }
  }

  function found(half: Half, at: ChunkTime): void {
    if (hasLost || half.hasSkipped) {
      counts.resyncs += 1;
    }
    if (half.hasSkipped) {
      half.hasSkipped = false;
      touchStreams(half, 'gap', at);
    }
  }

  // ---- halves ----------------------------------------------------------------------------------------------

  function createHalf(direction: Direction): Half {
    const chain: ChainContext = {
      get maxFrameBytes() {
        return allowedFrameBytes(half);
      },
      judgeStream(streamId) {
        const stream = streams.get(streamId);
        if (stream !== undefined) {
          return stream.isOpen(direction) ? 'open' : 'possible';
        }
        return streamId % 2 === 1 && !isFarAhead(streamId) ? 'possible' : 'impossible';
      },
    };
    const reader = createFrameReader(limits.maxFrameBytes, chain, {
      preface() {
        if (isJoinedMidway && !hasLost) {
          isJoinedMidway = false;
          read.hpack.table.restart();
          write.hpack.table.restart();
        }
        setRequestDirection(direction, 0n);
      },
      begin: (header, at) => beginFrame(half, header, at),
      malformed: (header, at) => passMalformed(half, header, at),
      payload: (bytes, at, position) => payload(half, bytes, at, position),
      payloadGap: (size, cause, at) => payloadGap(half, size, cause, at),
      end: (at) => endFrame(half, at),
      lost: (cause, at) => lose(half, cause, at),
      found: (at) => found(half, at),
      skipped(position, length) {
        if (reader.isSearching) {
          half.hasSkipped = true;
          counts.skippedBytes += length;
        }
        secret(half, position, length);
      },
    });
    const hpack = createHpackDecoder(
      limits.maxHeaderTableBytes,
      (name, value) => secretsOf(name, value, context.findAddedSecrets),
      isSecretHeader,
    );
    hpack.table.forget();
    const half: Half = {
      direction,
      reader,
      block: new HeaderBlock(limits),
      hpack,
      tableDamage: 'joined-midway',
      type: FrameType.ping,
      flags: 0,
      frameStream: 0,
      stream: undefined,
      control: new Uint8Array(MAX_CONTROL_BYTES),
      controlBytes: 0,
      hasSkipped: false,
      isStarted: false,
      maxFrameBytes: undefined,
      unwantedStream: undefined,
      end: 0,
    };
    return half;
  }

  /** Where this direction's first bytes are taken to begin. */
  function start(half: Half, bytes: Uint8Array, position: number): void {
    half.isStarted = true;
    if (bytes[0] === 0x50) {
      // `P`: as a frame it would announce 5 MB.
      half.reader.startAt('preface');
    } else if (position === 0 && !isJoinedMidway) {
      half.reader.startAt('header');
    }
  }

  function secret(half: Half, position: number, length: number): void {
    if (length > 0) {
      context.onSecret?.(connection, half.direction, position, length);
    }
  }

  /** Up to where everything is judged: an open block is not, nor text that a scanner holds back. */
  function release(half: Half): void {
    if (context.onRelease === undefined) {
      return;
    }
    let upTo = half.block.position ?? half.reader.pendingPosition ?? half.end;
    for (const scanner of scanners[half.direction]) {
      const pending = scanner.pendingPosition;
      if (pending !== undefined && pending < upTo) {
        upTo = pending;
      }
    }
    context.onRelease(connection, half.direction, upTo);
  }

  if (beginning.upgraded) {
    beginUpgraded(beginning.upgraded);
  }

  function beginUpgraded(exchange: Exchange): void {
    // The client's direction begins with the preface, the server's with its SETTINGS (RFC 7540 §3.2).
    isJoinedMidway = false;
    requestDirection = exchange.role === 'client' ? 'write' : 'read';
    streamContext.role = exchange.role;
    read.hpack.table.restart();
    write.hpack.table.restart();
    for (const half of [read, write]) {
      half.isStarted = true;
      half.reader.startAt(isRequestSide(half) ? 'preface' : 'header');
    }
    ordinal = exchange.ordinal + 1;
    const stream = openStream(1, exchange.response?.endNs ?? 0n);
    firstRequestId = 1;
    if (exchange.request) {
      stream.takeRequest(exchange.request);
    }
  }

  return {
    isSearching: (direction) => (direction === 'read' ? read : write).reader.isSearching,

    data(direction, bytes, at, position) {
      const half = direction === 'read' ? read : write;
      half.end = position + bytes.length;
      if (!half.isStarted) {
        start(half, bytes, position);
      }
      endIdle(at.timeNs);
      half.reader.data(bytes, at, position);
      release(half);
    },

    gap(direction, size, at) {
      const half = direction === 'read' ? read : write;
      half.isStarted = true;
      // Before any data it is not known where this is.
      half.end += half.end === 0 ? 0 : (size ?? 0);
      half.reader.gap(size, at);
      release(half);
    },

    skip(direction, size, at, frames) {
      const half = direction === 'read' ? read : write;
      half.isStarted = true;
      if (frames === undefined || half.block.isOpen) {
        half.reader.gap(size, at);
      } else {
        skipFrames(half, size, at, frames);
      }
      release(half);
    },

    letGo() {
      for (const half of [read, write]) {
        for (const scanner of scanners[half.direction]) {
          scanner.letGo();
        }
        release(half);
      }
    },

    end(reason, timeNs) {
      for (const stream of [...streams.values()]) {
        if (reason !== 'timeout' || !stream.rest(timeNs)) {
          endStream(stream, 'truncated', timeNs);
        }
      }
      for (const half of [read, write]) {
        failBlock(half, 'gap');
        half.stream = undefined;
        const { pendingPosition } = half.reader;
        if (pendingPosition !== undefined) {
          secret(half, pendingPosition, half.end - pendingPosition);
        }
        context.onRelease?.(connection, half.direction, half.end);
      }
    },
  };
}

/** The credentials in a field's value, pseudo-header fields included. */
function secretsOf(
  name: string,
  value: string,
  findAdded: SecretFinder | undefined,
): SecretPlace[] {
  if (name.charCodeAt(0) !== 0x3a) {
    return secretsOfField(name, value, findAdded);
  }
  return name === ':path' ? findSecretsInTarget(value, findAdded) : findSecretsInLine(value);
}
