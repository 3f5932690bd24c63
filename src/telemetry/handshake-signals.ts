/** What is said of TLS handshakes: a duration of each, an event on the first call, a log record and a line of a failure. */
import type { Attributes } from '@opentelemetry/api';
import type { HandshakePiece } from '../session/story.ts';
import type { Handshake } from '../transport/handshake.ts';
import { executableName } from './process-attributes.ts';
import { Attr } from './semconv.ts';
import { put, type SpanEvent } from './span-description.ts';
import { printable } from './terminal-text.ts';
import { secondsBetween } from './wall-time.ts';

/** The log event of a failed handshake, and the span event of one that was completed. */
export const HANDSHAKE_FAILED_EVENT = 'sightline.tls.handshake.failed';
const HANDSHAKE_EVENT = 'sightline.tls.handshake';

/** Few values each: these are a metric's. */
export function handshakeLabels(handshake: Handshake): Attributes {
  const attributes: Attributes = {
    [Attr.tlsStack]: handshake.stack,
    [Attr.tlsOutcome]: handshake.errorType === undefined ? 'completed' : 'failed',
  };
  put(attributes, Attr.tlsSide, handshake.side);
  put(attributes, Attr.errorType, handshake.errorType);
  return attributes;
}

export function handshakeSeconds({ beginNs, endNs }: Handshake): number {
  return secondsBetween(beginNs, endNs);
}

export function handshakeSpanEvent(handshake: Handshake): SpanEvent {
  return {
    name: HANDSHAKE_EVENT,
    timeNs: handshake.endNs,
    attributes: {
      ...handshakeLabels(handshake),
      [Attr.tlsHandshakeDuration]: handshakeSeconds(handshake),
    },
  };
}

/** Whom the process could not talk to, as far as that is known. */
export function handshakeFailureAttributes({
  handshake,
  facts,
  process,
}: HandshakePiece): Attributes {
  const attributes: Attributes = {
    ...handshakeLabels(handshake),
    [Attr.tlsHandshakeDuration]: handshakeSeconds(handshake),
    [Attr.processPid]: process.ref.pid,
  };
  put(attributes, Attr.processExecutableName, executableName(process));
  put(attributes, Attr.serverAddress, facts.serverName);
  put(attributes, Attr.networkPeerAddress, facts.peer?.address);
  put(attributes, Attr.networkPeerPort, facts.peer?.port);
  return attributes;
}

/** One line for the terminal, where nobody reads log records. */
export function handshakeFailureLine(piece: HandshakePiece): string {
  const { handshake, facts, process, workload } = piece;
  const { peer, serverName } = facts;
  const place = peer === undefined ? '' : `${peer.address}:${peer.port}`;
  const whom = [serverName, place && serverName ? `(${place})` : place].filter(Boolean).join(' ');
  const program = executableName(process) ?? `pid ${process.ref.pid}`;
  const text = `✗ TLS handshake of ${program} (${workload.name}) with ${whom || 'an unknown server'} failed: ${handshake.errorType}`;
  return `${printable(text)}\n`;
}
