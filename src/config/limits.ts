/**
 * The limit of every buffer and table that grows with what is observed, by room and under the room's own names.
 * Reaching one is recorded as damage or counted (`sightline.limits`), and never makes anything grow further.
 */
import { count, size } from './format.ts';
import { type RequiredKey, required } from './key.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const MANY = 100_000_000;

function items(env: string, defaultItems: number, doc: string): RequiredKey<number> {
  return required(`SIGHTLINE_LIMIT_${env}`, count({ min: 1, max: MANY }), defaultItems, doc);
}

function bytes(
  env: string,
  defaultBytes: number,
  minBytes: number,
  doc: string,
): RequiredKey<number> {
  const format = size({ min: minBytes, max: 64 * GIB });
  return required(`SIGHTLINE_LIMIT_${env}`, format, defaultBytes, doc);
}

export const limitKeys = {
  capture: {
    maxCachedConnections: items(
      'CAPTURE_CACHED_CONNECTIONS',
      8_192,
      'Connections whose names the decoder of kernel records keeps at hand.',
    ),
    maxPendingArgvBytes: bytes(
      'CAPTURE_PENDING_ARGV_BYTES',
      4 * MIB,
      64 * KIB,
      'Command lines of which the kernel has not handed over every part yet.',
    ),
  },
  recorder: {
    maxHeldBytes: bytes(
      'RECORDER_HELD_BYTES',
      64 * MIB,
      64 * KIB,
      'Bytes that wait until it is known where credentials are in them; more are recorded masked as a whole.',
    ),
    maxConnections: items(
      'RECORDER_CONNECTIONS',
      16_384,
      'Connections that the recorder follows at one time.',
    ),
  },
  targets: {
    maxRemembered: items(
      'TARGETS_REMEMBERED',
      8_192,
      'Files remembered for having nothing to attach to.',
    ),
    maxAttached: items('TARGETS_ATTACHED', 512, 'Files attached to at one time.'),
    maxWaiting: items(
      'TARGETS_WAITING',
      8_192,
      'Processes that are to be looked at again for libraries loaded late.',
    ),
  },
  transport: {
    maxConnections: items(
      'TRANSPORT_CONNECTIONS',
      16_384,
      'Connections followed at one time; one more gives up the one that was silent longest.',
    ),
  },
  http: {
    maxHeadBytes: bytes(
      'HTTP_HEAD_BYTES',
      64 * KIB,
      KIB,
      'Start line and header fields of one message.',
    ),
    maxHeaderFields: items('HTTP_HEADER_FIELDS', 512, 'Header fields kept of one message.'),
    maxPendingExchanges: items(
      'HTTP_PENDING_EXCHANGES',
      256,
      'Exchanges of one connection that wait for their responses.',
    ),
    maxDecodedBytes: bytes(
      'HTTP_DECODED_BYTES',
      GIB,
      64 * KIB,
      'Bytes that one compressed body may decode to.',
    ),
    maxDecodeRatio: items(
      'HTTP_DECODE_RATIO',
      500,
      'Decoded bytes per encoded byte, judged once a body has decoded to more than 1 MiB.',
    ),
    maxContentEncodings: items(
      'HTTP_CONTENT_ENCODINGS',
      4,
      'Content encodings of one body, one inside the other.',
    ),
    maxFormParts: items('HTTP_FORM_PARTS', 1000, 'Parts kept of one form (multipart/form-data).'),
    maxFormPartHeadBytes: bytes(
      'HTTP_FORM_PART_HEAD_BYTES',
      16 * KIB,
      KIB,
      'Header fields of one part of a form.',
    ),
    maxFrameBytes: bytes(
      'HTTP2_FRAME_BYTES',
      16 * MIB - 1,
      16 * KIB,
      'Payload of one HTTP/2 frame; a longer one is passed over.',
    ),
    maxHeaderBlockBytes: bytes(
      'HTTP2_HEADER_BLOCK_BYTES',
      256 * KIB,
      KIB,
      'Encoded header fields of one HTTP/2 message.',
    ),
    maxContinuations: items(
      'HTTP2_CONTINUATIONS',
      128,
      'CONTINUATION frames of one HTTP/2 message head.',
    ),
    maxHeaderTableBytes: bytes(
      'HTTP2_HEADER_TABLE_BYTES',
      256 * KIB,
      4 * KIB,
      "One direction's table of HTTP/2 header fields.",
    ),
    maxOpenStreams: items(
      'HTTP2_OPEN_STREAMS',
      2048,
      'HTTP/2 exchanges of one connection that are open at one time; one more ends the oldest.',
    ),
  },
  webSocket: {
    maxFrameBytes: bytes(
      'WEBSOCKET_FRAME_BYTES',
      64 * MIB,
      KIB,
      'Payload of one WebSocket frame; the content of a longer one is passed over.',
    ),
    maxFragments: items('WEBSOCKET_FRAGMENTS', 65_536, 'Frames of one WebSocket message.'),
    maxMessageBytes: bytes(
      'WEBSOCKET_MESSAGE_BYTES',
      16 * MIB,
      KIB,
      'One WebSocket message, decompressed; its rest is passed over.',
    ),
    maxInflatedBytes: bytes(
      'WEBSOCKET_INFLATED_BYTES',
      64 * MIB,
      64 * KIB,
      'How far a longer message is still decompressed, so that those after it, which may refer to it, can be.',
    ),
    maxInflateRatio: items(
      'WEBSOCKET_INFLATE_RATIO',
      500,
      'Decompressed bytes per compressed byte of a message, judged once it has given more than 1 MiB.',
    ),
    maxSearchBytes: bytes(
      'WEBSOCKET_SEARCH_BYTES',
      256 * KIB,
      KIB,
      'Bytes of one direction held back after a loss, until it is known where a frame begins.',
    ),
    maxSearchCalls: items(
      'WEBSOCKET_SEARCH_CALLS',
      256,
      'TLS calls that those bytes may have come in.',
    ),
  },
  llm: {
    maxEventBytes: bytes('LLM_EVENT_BYTES', 8 * MIB, KIB, 'One server-sent event.'),
    maxDepth: items('LLM_DEPTH', 512, 'Nesting of a JSON body.'),
    maxNodes: items('LLM_NODES', 200_000, 'JSON values held at once of one body.'),
    maxMessages: items(
      'LLM_MESSAGES',
      100_000,
      'Messages of one request that are compared with earlier ones.',
    ),
    maxToolDefinitions: items('LLM_TOOL_DEFINITIONS', 10_000, 'Tool definitions of one request.'),
    maxChoices: items('LLM_CHOICES', 128, 'Choices of one answer.'),
    maxParts: items('LLM_PARTS', 10_000, 'Texts, tool calls and images of one answer.'),
    maxArgumentBytes: bytes(
      'LLM_ARGUMENT_BYTES',
      MIB,
      KIB,
      "One tool call's arguments, as they are kept to find its process.",
    ),
    maxCallContentBytes: bytes(
      'LLM_CALL_CONTENT_BYTES',
      8 * MIB,
      KIB,
      'Captured content of one model call altogether.',
    ),
    maxChunkGaps: items(
      'LLM_CHUNK_GAPS',
      100_000,
      'Times between two chunks that one call remembers for its metric.',
    ),
    maxSocketCalls: items(
      'LLM_SOCKET_CALLS',
      64,
      'Responses of one WebSocket that are asked for or under way at one time; one more ends the oldest.',
    ),
    maxBackgroundResponses: items(
      'LLM_BACKGROUND_RESPONSES',
      4_096,
      'Responses in the background whose end is still to be fetched; one more forgets the oldest.',
    ),
  },
  process: {
    maxProcesses: items('PROCESS_PROCESSES', 32_768, 'Processes known at one time.'),
    maxExited: items(
      'PROCESS_EXITED',
      4_096,
      'Processes that have ended and are remembered for those they started.',
    ),
    maxPrograms: items('PROCESS_PROGRAMS', 16, 'Programs that one process ran one after another.'),
    maxArgvChars: items('PROCESS_ARGV_CHARS', 128 * KIB, 'Characters of one command line.'),
    maxTotalArgvChars: items(
      'PROCESS_TOTAL_ARGV_CHARS',
      32 * MIB,
      'Characters of all known command lines together.',
    ),
  },
  session: {
    maxOpenTurns: items('SESSION_OPEN_TURNS', 512, 'Turns open at one time.'),
    maxTrees: items('SESSION_TREES', 256, 'Agents whose conversations are remembered.'),
    maxCallsPerTree: items(
      'SESSION_CALLS_PER_TREE',
      512,
      'Calls of one agent that a later request may be found to continue.',
    ),
    maxOpenCalls: items('SESSION_OPEN_CALLS', 4_096, 'Model calls under way at one time.'),
    maxCallsPerTurn: items('SESSION_CALLS_PER_TURN', 1_024, 'Model calls of one turn.'),
    maxToolsPerTurn: items('SESSION_TOOLS_PER_TURN', 4_096, 'Tool calls of one turn.'),
    maxProcessesPerTurn: items('SESSION_PROCESSES_PER_TURN', 16_384, 'Processes of one turn.'),
    maxExchangesPerParent: items(
      'SESSION_EXCHANGES_PER_PARENT',
      512,
      'HTTP exchanges with a span that stand directly under one turn or process; further ones are counted there.',
    ),
    maxOpenProcesses: items(
      'SESSION_OPEN_PROCESSES',
      16_384,
      'Running processes with a span at one time.',
    ),
    maxArgumentChars: items(
      'SESSION_ARGUMENT_CHARS',
      256 * KIB,
      "Characters of a tool call's arguments that are searched for a command.",
    ),
  },
  telemetry: {
    maxWorkloads: items('TELEMETRY_WORKLOADS', 512, 'Observed workloads with a resource each.'),
    maxServices: items('TELEMETRY_SERVICES', 256, 'Services with metrics of their own.'),
    maxSeries: items(
      'TELEMETRY_SERIES',
      2000,
      'Series of one metric of one service; the rest share one overflow series.',
    ),
    maxQueueBytes: bytes(
      'TELEMETRY_QUEUE_BYTES',
      64 * MIB,
      64 * KIB,
      'Spans or log records that wait for export, by an estimate of their size.',
    ),
    maxBatchBytes: bytes(
      'TELEMETRY_BATCH_BYTES',
      3 * MIB,
      KIB,
      'One export, by an estimate; a gRPC receiver takes 4 MiB unless told otherwise.',
    ),
    maxTreeTraces: items(
      'TELEMETRY_TREE_TRACES',
      256,
      'Unfinished traces that the tree in the terminal keeps.',
    ),
    maxTreeSpans: items('TELEMETRY_TREE_SPANS', 1000, 'Spans of one trace in that tree.'),
    maxTreesHeld: items(
      'TELEMETRY_TREES_HELD',
      64,
      'Finished trees kept until it is known whether the endpoint took them.',
    ),
  },
} as const;
