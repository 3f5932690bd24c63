/**
 * Responses that OpenAI's API makes in the background: the POST is answered before the model has worked, and what it
 * said and used up is only in the response that is fetched later. A fetch of such a response is a call of its own; of
 * any other stored response it is none, because the call that made it has told everything already.
 * https://platform.openai.com/docs/guides/background
 */
import type { Role } from '../http/exchange.ts';
import type { ModelCall } from './model-call.ts';
import { openAiResponses } from './openai-responses.ts';
import { decodedSegment } from './path-segment.ts';
import type { ServerAddress } from './server-address.ts';
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

/** The number of the last event that the client has. */
const CURSOR = /[?&]starting_after=(\d{1,16})(?:&|$)/;

const STORED = /\/responses\/([^/]+)$/;

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
      const { api, request, response } = call;
      if (response?.id === undefined || call.serverAddress === undefined) {
        return;
      }
      const name = nameOf(call.exchange.role, call.serverAddress, call.serverPort, response.id);
      if (api === 'openai.responses' && request.isBackground === true && !isOver(call)) {
        remember(name);
      } else if (api === 'openai.stored_response' && isOver(call) && !open.delete(name)) {
        // Two fetches met: the other one has counted it.
        response.usage = {};
      }
    },
    readerOf(target, address, role) {
      const id = STORED.exec(target.path)?.[1];
      if (id === undefined || address === undefined) {
        return undefined;
      }
      return open.has(nameOf(role, address.host, address.port, decodedSegment(id)))
        ? storedResponse
        : undefined;
    },
  };
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

const storedResponse: WireApiReader = {
  api: 'openai.stored_response',
  operation: 'fetch_response',
  provider: 'openai',
  matches: ({ path }) => STORED.test(path),
  readRequest: ({ call }, { request }) => ({
    plan: { keep: 'skip' },
    item() {},
    end() {
      if (/[?&]stream=true(?:&|$)/i.test(request.target)) {
        call.request.stream = true;
      }
      setField(call.request, 'streamCursor', CURSOR.exec(request.target)?.[1]);
      return true;
    },
  }),
  readAnswer: openAiResponses.readAnswer,
};
