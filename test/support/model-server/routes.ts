/** From a request to the plan of its response: model calls, and plain endpoints for bytes, echoes and statuses. */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { CommonWireApi, WireApi } from './exchange-truth.ts';
import { planModelResponse } from './model-endpoint.ts';
import { seededBytes } from './random.ts';
import { headerOf, type IncomingRequest } from './request-reader.ts';
import type { ResponsePlan } from './response-plan.ts';
import { checkScenario, type Scenario, ScenarioError, scenarioInHeader } from './scenario.ts';
import { planVendorResponse, vendorApiOf } from './vendor-endpoint.ts';

export interface RouteContext {
  serverSeed: number;
  exchange: number;
  defaultScenario: Scenario;
  nextScripted: () => Scenario | undefined;
}

const MAX_BYTES = 1024 * 1024 * 1024;
/** Bodies are handed on in pieces of this size, so that a large one is not written in one call. */
const PIECE_BYTES = 256 * 1024;

export interface RoutedPlan {
  plan: ResponsePlan;
  api?: WireApi;
}

function jsonPlan(status: number, body: unknown, scenario: Scenario = {}): ResponsePlan {
  return {
    status,
    headers: [['content-type', 'application/json']],
    pieces: [{ bytes: Buffer.from(JSON.stringify(body)) }],
    isStream: false,
    hasBody: true,
    scenario,
  };
}

function bytesPlan(body: Buffer, contentType: string, scenario: Scenario): ResponsePlan {
  const pieces = [];
  for (let start = 0; start < body.length; start += PIECE_BYTES) {
    pieces.push({ bytes: body.subarray(start, start + PIECE_BYTES) });
  }
  return {
    status: scenario.status ?? 200,
    headers: [['content-type', contentType]],
    pieces,
    isStream: false,
    hasBody: true,
    scenario,
  };
}

/** Scenario keys in a query: numbers where they look like numbers, otherwise text. */
function scenarioInQuery(query: URLSearchParams): Scenario {
  const entries = [...query].map(([key, value]) => [
    key,
    /^\d+$/.test(value) ? Number(value) : value,
  ]);
  return checkScenario(Object.fromEntries(entries));
}

function decodedBody(request: IncomingRequest): Buffer {
  switch (headerOf(request.headers, 'content-encoding')?.toLowerCase()) {
    case 'gzip':
      return gunzipSync(request.body);
    case 'deflate':
      return inflateSync(request.body);
    case 'br':
      return brotliDecompressSync(request.body);
    default:
      return request.body;
  }
}

function commonApiOf(path: string): CommonWireApi | undefined {
  if (path.endsWith('/chat/completions')) {
    return 'openai.chat_completions';
  }
  if (path.endsWith('/v1/responses')) {
    return 'openai.responses';
  }
  return path.endsWith('/v1/messages') ? 'anthropic.messages' : undefined;
}

function plainPlan(request: IncomingRequest, url: URL): ResponsePlan {
  const header = headerOf(request.headers, 'x-scenario');
  const scenario = {
    ...scenarioInQuery(url.searchParams),
    ...(header === undefined ? {} : scenarioInHeader(header)),
  };
  const path = url.pathname;
  const bytes = /^\/bytes\/(\d+)$/.exec(path)?.[1];
  if (bytes !== undefined && Number(bytes) <= MAX_BYTES) {
    const body = seededBytes(scenario.seed ?? 0, Number(bytes));
    return bytesPlan(body, scenario.contentType ?? 'application/octet-stream', scenario);
  }
  if (path === '/echo') {
    const type = headerOf(request.headers, 'content-type') ?? 'application/octet-stream';
    return bytesPlan(request.body, scenario.contentType ?? type, scenario);
  }
  const status = /^\/status\/([2-5]\d\d)$/.exec(path)?.[1];
  if (status !== undefined) {
    const plan = jsonPlan(Number(status), { status: Number(status) }, scenario);
    plan.hasBody = plan.status !== 204 && plan.status !== 304;
    return plan;
  }
  if (request.method === 'GET' && path.endsWith('/models')) {
    return jsonPlan(200, { object: 'list', data: [{ id: 'gpt-4o', object: 'model' }] }, scenario);
  }
  if (path.endsWith('/messages/count_tokens')) {
    return jsonPlan(200, { input_tokens: request.body.length >> 2 }, scenario);
  }
  if (request.method === 'HEAD' || path === '/') {
    return jsonPlan(200, { service: 'model server' }, scenario);
  }
  return jsonPlan(404, { error: { message: `nothing at ${path}`, type: 'not_found' } }, scenario);
}

export function route(request: IncomingRequest, context: RouteContext): RoutedPlan {
  const url = new URL(request.target, 'http://localhost');
  const isPost = request.method === 'POST';
  const common = isPost ? commonApiOf(url.pathname) : undefined;
  const vendor = isPost ? vendorApiOf(url.pathname) : undefined;
  if (common === undefined && vendor === undefined) {
    let plan: ResponsePlan;
    try {
      plan = plainPlan(request, url);
    } catch (error) {
      if (!(error instanceof ScenarioError)) {
        throw error;
      }
      plan = jsonPlan(400, { error: { message: error.message, type: 'bad_scenario' } });
    }
    if (request.method === 'HEAD') {
      plan.hasBody = false;
    }
    return { plan };
  }
  let body: Buffer;
  try {
    body = decodedBody(request);
  } catch {
    body = Buffer.alloc(0);
  }
  const input = {
    body,
    scenarioHeader: headerOf(request.headers, 'x-scenario'),
    nextScripted: context.nextScripted,
    defaultScenario: context.defaultScenario,
    serverSeed: context.serverSeed,
    exchange: context.exchange,
  };
  if (vendor !== undefined) {
    const target = { path: url.pathname, query: url.searchParams };
    return { plan: planVendorResponse(vendor, input, target), api: vendor.api };
  }
  const api = common!;
  return { plan: planModelResponse({ ...input, api }), api };
}
