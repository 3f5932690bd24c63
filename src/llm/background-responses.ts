/**
 * Responses that OpenAI's API makes in the background, and Gemini's interactions: the POST is answered before the model
 * has worked, and what it said and used up is only in the response that is fetched later. A fetch of such a response is
 * a call of its own; of any other stored response it is none, because the call that made it has told everything already.
 * https://platform.openai.com/docs/guides/background and https://ai.google.dev/gemini-api/docs/background-execution
 */
import type { Role } from '../http/exchange.ts';
import { geminiInteractions } from './gemini-interactions.ts';
import { setGoogleProvider } from './gemini-target.ts';
import type { ModelCall, WireApi } from './model-call.ts';
import { openAiResponses } from './openai-responses.ts';
import { decodedSegment } from './path-segment.ts';
import { pathOf, type ServerAddress } from './server-address.ts';
import { setField } from './set-field.ts';
import type { CallTarget, WireApiReader } from './wire-api.ts';

export interface BackgroundResponses {
  /** A call is over: one that left its response to the background is remembered, one that brought it settles it. */
  finished(call: ModelCall): void;
  /** The reader of a GET, when it fetches a response whose end is not known yet. */
  readerOf(
    target: CallTarget,
    address: ServerAddress | undefined,
    role: Role,
  ): WireApiReader | undefined;
}

/** What a GET fetches, and of which API the request was that made it. */
interface StoredApi {
  reader: WireApiReader;
  path: RegExp;
  madeBy: WireApi;
}

/** `maxResponses` are remembered; `onLimit` is told of each that had to be forgotten for another. */
export function createBackgroundResponses(
  maxResponses: number,
  onLimit: () => void,
): BackgroundResponses {
  /**
   * Named as a fetch names them: by the server, and the id that is its path there. A server that gave one id to two
   * responses could not be asked for either.
   */
  const open = new Set<string>();

  function remember(name: string): void {
    if (open.size >= maxResponses && !open.has(name)) {
      onLimit();
      for (const oldest of open) {
        open.delete(oldest);
        break;
      }
    }
    open.add(name);
  }

  return {
    finished(call) {
      const { api, request, response, exchange, serverAddress: host } = call;
      const fetched = STORED.find(({ reader }) => reader.api === api);
      const isMade = STORED.some(({ madeBy }) => madeBy === api);
      const isLeft = isMade && request.isBackground === true && !isOver(call);
      const id =
        fetched === undefined
          ? response?.id
          : fetchedId(fetched, pathOf(exchange.request?.target ?? ''));
      if (id === undefined || host === undefined) {
        return;
      }
      const name = nameOf(exchange.role, host, call.serverPort, id);
      if (isLeft) {
        remember(name);
      }
      // The end has all counts. Where two fetches of it met, the other one has counted it.
      // One that was cut off will be fetched again.
      const bringsEnd = isOver(call) && !call.damage.kinds.has('truncated');
      const isCountedElsewhere = fetched === undefined ? isLeft : !bringsEnd || !open.delete(name);
      if (isCountedElsewhere && response !== undefined) {
        response.usage = {};
      }
    },
    readerOf(target, address, role) {
      for (const stored of STORED) {
        const id = fetchedId(stored, target.path);
        if (id !== undefined && address !== undefined) {
          const name = nameOf(role, address.host, address.port, id);
          return open.has(name) ? stored.reader : undefined;
        }
      }
      return undefined;
    },
  };
}

/** Of the response that a GET of this path asks for. */
function fetchedId({ path: pattern }: StoredApi, path: string): string | undefined {
  const id = pattern.exec(path)?.[1];
  return id === undefined ? undefined : decodedSegment(id);
}

/** Client and server of one exchange may both be observed: each side tells its own story. */
function nameOf(role: Role, host: string, port: number | undefined, id: string): string {
  return `${role} ${host} ${port ?? ''} ${id}`;
}

/** The model has stopped, for whatever reason. A request that was refused says nothing of that. */
function isOver({ response, error, httpStatus }: ModelCall): boolean {
  const isRefused = httpStatus !== undefined && httpStatus >= 400;
  return !isRefused && ((response?.finishReasons.length ?? 0) > 0 || error !== undefined);
}

/** `cursor`: the last event that the client has. */
function readerOfStored(own: WireApiReader, api: WireApi, path: RegExp, cursor: RegExp): StoredApi {
  return {
    path,
    madeBy: own.api,
    reader: {
      api,
      operation: 'fetch_response',
      provider: own.provider,
      matches: (target) => path.test(target.path),
      readRequest: ({ call }, { path: requested, host, request }) => ({
        plan: { keep: 'skip' },
        item() {},
        end() {
          setGoogleProvider(call, requested, host);
          if (/[?&]stream=true(?:&|$)/i.test(request.target)) {
            call.request.stream = true;
          }
          setField(call.request, 'streamCursor', cursor.exec(request.target)?.[1]);
          return true;
        },
      }),
      readAnswer: own.readAnswer,
    },
  };
}

const STORED: readonly StoredApi[] = [
  readerOfStored(
    openAiResponses,
    'openai.stored_response',
    /\/responses\/([^/]+)$/,
    /[?&]starting_after=(\d{1,16})(?:&|$)/,
  ),
  readerOfStored(
    geminiInteractions,
    'gemini.stored_interaction',
    /\/interactions\/([^/]+)$/,
    /[?&]last_event_id=([^&]{1,1024})(?:&|$)/,
  ),
];
