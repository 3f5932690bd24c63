/** The contract with plugins: what their hooks are given and what they may answer. `docs/plugins.md` explains it. */
import type {
  Message,
  Operation,
  OutputMessage,
  Part,
  ToolDefinition,
  Usage,
  WireApi,
} from '../llm/model-call.ts';
import type { Evidence, ExtraAttributes, SpanIds, TurnPiece } from '../session/story.ts';
import type { DamageKind } from '../util/damage.ts';

/** A process, as far as it is known by then. Credentials in its arguments are masked. */
export interface ProcessView {
  readonly pid: number;
  /** Nanoseconds since boot. */
  readonly startNs: bigint;
  /** Path of the program it runs; empty where only its short name is known. */
  readonly executable: string;
  readonly argv: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
  /** Name of the user it runs as. */
  readonly owner?: string;
  readonly containerId?: string;
  readonly podUid?: string;
  readonly packageName?: string;
  readonly packageVersion?: string;
  /** OTEL_SERVICE_NAME in its environment. */
  readonly serviceName?: string;
}

/** The workload that a span belongs to: an agent's root process, or a single program. */
export interface WorkloadView {
  /** service.name of its resource. */
  readonly name: string;
  readonly isAgent: boolean;
  readonly root: ProcessView;
}

/** An HTTP exchange. Credentials in its target and headers are masked; bodies are not kept. */
export interface ExchangeView {
  readonly process: ProcessView;
  readonly role: 'client' | 'server';
  /** `1.0`, `1.1` or `2`. */
  readonly version: string;
  /** Absent, as is `target`, where the request was not seen. */
  readonly method?: string;
  /** As on the request line. */
  readonly target?: string;
  /** In the order sent, names as sent. */
  readonly requestHeaders: readonly (readonly [name: string, value: string])[];
  readonly status?: number;
  readonly responseHeaders: readonly (readonly [name: string, value: string])[];
  /** Body bytes on the wire. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Nanoseconds since boot. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly damage: readonly DamageKind[];
}

/** Texts of a call that would be exported, credentials masked. Absent: there is none, or content is off. */
export interface CallContent {
  readonly systemInstructions?: readonly Part[];
  readonly inputMessages?: readonly Message[];
  readonly outputMessages?: readonly OutputMessage[];
  readonly toolDefinitions?: readonly ToolDefinition[];
  /** The service's words for an error: there even while content is off, because the span's status has it. */
  readonly errorMessage?: string;
}

/** A finished model call: the `chat` span (or that of another operation). */
export interface CallView {
  readonly ids: Readonly<SpanIds>;
  readonly workload: WorkloadView;
  /** The process that made the call. */
  readonly process: ProcessView;
  /** Of a call on a WebSocket, the one that opened the socket. */
  readonly exchange: ExchangeView;
  readonly api: WireApi;
  readonly operation: Operation;
  /** gen_ai.provider.name. */
  readonly provider: string;
  readonly serverAddress?: string;
  readonly serverPort?: number;
  readonly requestModel?: string;
  readonly responseModel?: string;
  readonly responseId?: string;
  readonly isStreamed: boolean;
  /** Names of the tools that the request offers. */
  readonly tools: readonly string[];
  readonly finishReasons: readonly string[];
  readonly usage: Readonly<Usage>;
  readonly httpStatus?: number;
  readonly errorType?: string;
  /** US dollars, an estimate. */
  readonly costUsd?: number;
  readonly startNs: bigint;
  readonly firstChunkNs?: bigint;
  readonly endNs: bigint;
  readonly isComplete: boolean;
  readonly damage: readonly DamageKind[];
  /** It is part of a turn. */
  readonly isInTurn: boolean;
  readonly content: CallContent;
}

/** Texts of a tool call, credentials masked; absent while content is off. */
export interface ToolCallContent {
  /** JSON text, as the model wrote it. */
  readonly arguments?: string;
  readonly result?: string;
}

/** A finished tool call: the `execute_tool` span. */
export interface ToolCallView {
  readonly ids: Readonly<SpanIds>;
  readonly workload: WorkloadView;
  readonly name: string;
  readonly id?: string;
  readonly isError: boolean;
  readonly evidence: Evidence;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly damage: readonly DamageKind[];
  readonly content: ToolCallContent;
}

/** The prompt that began a turn and the answer that ended it, credentials masked; absent while content is off. */
export interface TurnContent {
  readonly inputMessages?: readonly Message[];
  readonly outputMessages?: readonly (Message | OutputMessage)[];
}

/** A finished turn: the `invoke_agent` span. What plugins dropped of its calls is not counted in it. */
export interface TurnView {
  readonly ids: Readonly<SpanIds>;
  readonly workload: WorkloadView;
  readonly agentName: string;
  readonly callCount: number;
  readonly toolCallCount: number;
  /** Models of its calls, each once. */
  readonly models: readonly string[];
  readonly endedBy: TurnPiece['endedBy'];
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly damage: readonly DamageKind[];
  readonly content: TurnContent;
}

/** What every hook may answer. Nothing (`undefined`) lets the span be as it is, `false` drops it. */
export interface HookAnswer {
  /**
   * Added to the span (and the log event of a call), never to metrics. A name that the span has already keeps its
   * value. Names with `sightline.` are refused.
   */
  readonly attributes?: { readonly [name: string]: ExtraAttributes[string] | undefined };
  /** The span is not exported, nor its event, nor is it measured. */
  readonly drop?: boolean;
}

/** What hooks may answer where there is content. `content` counts first, then `redact`. */
export interface ContentAnswer<C> extends HookAnswer {
  /** In place of the fields of the content given; a field that is left out stays, one that is `undefined` goes. */
  readonly content?: { readonly [K in keyof C]?: C[K] | undefined };
  /** Called with every text of the content; gives the text that is exported in its place. */
  readonly redact?: (text: string) => string;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook need not return anything
type Answered<A> = A | false | null | undefined | void;

/** The hooks are called synchronously, in the order of SIGHTLINE_PLUGINS, with frozen copies, in the plugin's thread. */
export interface PluginHooks {
  /**
   * Every HTTP exchange, once: when it is over, or its first model call is. Attributes go on the spans of its model
   * calls; dropping it drops them.
   */
  exchange?(exchange: ExchangeView): Answered<HookAnswer>;
  call?(call: CallView): Answered<ContentAnswer<CallContent>>;
  toolCall?(toolCall: ToolCallView): Answered<ContentAnswer<ToolCallContent>>;
  turn?(turn: TurnView): Answered<ContentAnswer<TurnContent>>;
}

export interface Plugin extends PluginHooks {
  /** As warnings and counters call it; default: the file's name. */
  readonly name?: string;
  /**
   * True: the plugin is there to protect content. Should it be switched off, content is not exported any more; else
   * it would be from then on as without the plugin.
   */
  readonly guardsContent?: boolean;
}

export type HookName = keyof PluginHooks;

export const HOOK_NAMES: readonly HookName[] = ['exchange', 'call', 'toolCall', 'turn'];

/** Gives a plugin its type; returns it as it is. */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}
