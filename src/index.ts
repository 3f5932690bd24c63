/**
 * The package's public entry, `import … from 'sightline'`: the analyzer chain over recordings, and the contract with
 * plugins. What is not named here is nobody's business outside; docs/api.md says how stable it is.
 */
export {
  type AnalysisHandlers,
  type AnalysisOptions,
  type AnalysisTotals,
  type Analyzer,
  analyzeRecording,
  createAnalyzer,
  type RecordingTotals,
} from './analysis.ts';
export type {
  CaptureEvent,
  ConnectionRef,
  HostEvent,
  ProcessRef,
} from './capture/events.ts';
export {
  type ReadOutcome,
  type ReadRecordingOptions,
  readRecording,
} from './capture/recording-reader.ts';
export type {
  Exchange,
  HeaderField,
  Headers,
  MessageBase,
  RequestMessage,
  ResponseMessage,
} from './http/exchange.ts';
export type {
  CallRequest,
  CallResponse,
  Message,
  ModelCall,
  Operation,
  OutputMessage,
  Part,
  ToolCall,
  ToolDefinition,
  ToolResult,
  Usage,
  WireApi,
} from './llm/model-call.ts';
export {
  type CallContent,
  type CallView,
  type ContentAnswer,
  definePlugin,
  type ExchangeView,
  type HookAnswer,
  type Plugin,
  type PluginHooks,
  type ProcessView,
  type ToolCallContent,
  type ToolCallView,
  type TurnContent,
  type TurnView,
  type WorkloadView,
} from './plugins/plugin.ts';
export type { Process, Program } from './process/process.ts';
export type {
  CallPiece,
  Evidence,
  ExtraAttributes,
  HttpPiece,
  ProcessPiece,
  SpanIds,
  StoryPiece,
  ToolPiece,
  TurnPiece,
  Workload,
} from './session/story.ts';
export type { Damage, DamageKind } from './util/damage.ts';
export { SightlineError } from './util/errors.ts';
