/**
 * OpenAI's Realtime API: a conversation that the server keeps, and the responses in it. A response is asked for by
 * the client, or begun by the server when it hears that the user has finished speaking.
 * https://platform.openai.com/docs/api-reference/realtime-client-events and …/realtime-server-events
 */
import { RawJson } from '../util/json-scanner.ts';
import { asArray, asCount, asName, asNumber, asObject, type JsonObject } from './json-access.ts';
import { readOpenAiItem } from './openai-item.ts';
import { createRequestMessages, type RequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import type { MessageTime, SocketApi, SocketReader } from './socket-api.ts';
import type { SocketCall, SocketCalls } from './socket-calls.ts';
import { readToolDefinition } from './tool-definition.ts';
import type { CallTarget } from './wire-api.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

/** Only this API has messages of these types. */
const OWN_TYPE =
  /^(?:session\.(?:update|created|updated)|conversation\.|input_audio_buffer\.|output_audio_buffer\.|response\.(?:done|output_audio|audio|text)\b)/;

export const openAiRealtime: SocketApi = {
  api: 'openai.realtime',
  operation: 'chat',
  provider: 'openai',
  matches: ({ path }) => path.endsWith('/realtime'),
  recognises: (_sender, message) =>
    OWN_TYPE.test(asName(message.type) ?? '') || asName(message.response_id) !== undefined,
  open: openSocket,
};

/** Members of a session that describe every response made in it. */
const SETTINGS = [
  'model',
  'temperature',
  'max_output_tokens',
  'max_response_output_tokens',
  'output_modalities',
  'modalities',
  'instructions',
  'tools',
] as const;

/** A call whose request is still being put together: items come in messages of their own. */
interface Draft {
  one: SocketCall;
  messages: RequestMessages;
}

function openSocket(calls: SocketCalls, target: CallTarget | undefined): SocketReader {
  let settings: JsonObject = {};
  let conversationId: string | undefined;
  /** What goes into the conversation before the next response. */
  let next: Draft | undefined;
  /** The response that the conversation goes on after. */
  let lastResponseId: string | undefined;
  const model = modelInQuery(target);
  if (model !== undefined) {
    settings.model = model;
  }

  function newDraft(): Draft {
    const one = calls.draft(itemsOf);
    return {
      one,
      messages: createRequestMessages(one.parts.context, (value) => value as WireMessage),
    };
  }

  function addItem(draft: Draft, value: unknown): void {
    const { role } = readOpenAiItem(value);
    draft.messages.add({ role, items: itemsOf(value) }, true);
  }

  function noteSettings(value: unknown): void {
    const session = asObject(value) ?? {};
    const changed: JsonObject = {};
    for (const name of SETTINGS) {
      if (session[name] !== undefined && session[name] !== null) {
        changed[name] = session[name];
      }
    }
    settings = { ...settings, ...changed };
  }

  /** Fills in the request of a call in the conversation, or of one apart from it. */
  function setRequest(one: SocketCall, own: JsonObject, isApart: boolean): void {
    const { call, parts } = one;
    const { content, limits } = parts.context;
    const { request } = call;
    const all = { ...settings, ...own };
    setField(request, 'model', asName(all.model));
    setField(request, 'temperature', asNumber(all.temperature));
    const limit = asCount(all.max_output_tokens) ?? asCount(all.max_response_output_tokens);
    setField(request, 'maxTokens', limit);
    const modalities = asArray(all.output_modalities ?? all.modalities);
    if (modalities !== undefined) {
      request.outputType = modalities.includes('audio') ? 'speech' : 'text';
    }
    const instructions = asName(all.instructions);
    if (content.isOn && instructions !== undefined) {
      request.systemInstructions = partsOf([{ kind: 'text', text: instructions }], content);
    }
    for (const value of asArray(all.tools) ?? []) {
      const tool = asObject(value);
      if (request.toolDefinitions.length >= limits.maxToolDefinitions) {
        call.damage.add('limit');
        break;
      }
      if (tool !== undefined) {
        const parameters = new RawJson(JSON.stringify(tool.parameters ?? null), true);
        const definition = { ...tool, parameters };
        const type = asName(tool.type) ?? 'function';
        const read = readToolDefinition(type, definition, 'parameters', content);
        const label = asName(tool.server_label);
        request.toolDefinitions.push(label === undefined ? read : { ...read, name: label });
      }
    }
    if (!isApart) {
      setField(request, 'conversationId', conversationId);
      setField(request, 'previousResponseId', lastResponseId);
    }
  }

  function takeNext(): Draft {
    const taken = next ?? newDraft();
    next = undefined;
    return taken;
  }

  /** A response that the server began of itself. */
  function unasked(): SocketCall {
    const { one } = takeNext();
    setRequest(one, {}, false);
    return one;
  }

  function ask(message: JsonObject, time: MessageTime): void {
    const own = asObject(message.response) ?? {};
    const isApart = own.conversation === 'none';
    const input = asArray(own.input);
    const draft = input === undefined && !isApart ? takeNext() : newDraft();
    for (const item of input ?? []) {
      addItem(draft, item);
    }
    setRequest(draft.one, own, isApart);
    draft.one.eventId = asName(message.event_id);
    calls.ask(draft.one, time);
  }

  function readResponseEvent(type: string, message: JsonObject, time: MessageTime): void {
    const response = asObject(message.response);
    const id = asName(message.response_id) ?? asName(response?.id);
    const one =
      type === 'response.created'
        ? calls.begin(id, time, unasked)
        : (calls.find(id) ?? calls.findMissed(id, time, unasked));
    if (one === undefined) {
      return;
    }
    const isInConversation = typeof response?.conversation_id === 'string';
    if (type === 'response.done' && isInConversation && response?.status === 'completed') {
      lastResponseId = id;
    }
    calls.read(one, type, message, time);
  }

  return {
    client(message, time) {
      switch (message.type) {
        case 'session.update':
          noteSettings(message.session);
          break;
        case 'conversation.item.create':
          next ??= newDraft();
          addItem(next, message.item);
          break;
        case 'response.create':
          ask(message, time);
          break;
        default:
      }
    },

    server(message, time) {
      const type = asName(message.type) ?? '';
      switch (type) {
        case 'session.created':
        case 'session.updated':
          noteSettings(message.session);
          return;
        case 'conversation.created':
          conversationId = asName(asObject(message.conversation)?.id) ?? conversationId;
          return;
        case 'input_audio_buffer.committed':
          // What the user said: audio, of which nothing is kept. The server answers it unasked.
          calls.settleDoubts();
          next ??= newDraft();
          next.messages.add({ role: 'user', items: [] }, true);
          return;
        case 'conversation.item.input_audio_transcription.completed':
          addTranscript(asName(message.transcript));
          return;
        case 'error':
          calls.refuse(message, asName(asObject(message.error)?.event_id), time);
          return;
        default:
          if (type.startsWith('response.')) {
            readResponseEvent(type, message, time);
          }
      }
    },
  };

  /** What the user said, written down; mostly while the response to it is already under way. */
  function addTranscript(transcript: string | undefined): void {
    const one = calls.find(undefined) ?? next?.one;
    const { content } = one?.parts.context ?? {};
    if (one !== undefined && transcript !== undefined && content?.isOn) {
      const parts = partsOf([{ kind: 'text', text: transcript }], content);
      one.call.request.messages.push({ role: 'user', parts });
    }
  }
}

/** What an item is made of; of audio its transcript, if there is one. */
function itemsOf(value: unknown): WireItem[] {
  const item = asObject(value);
  const content = asArray(item?.content);
  if (item === undefined || content === undefined) {
    return readOpenAiItem(value).items;
  }
  const parts: unknown[] = [];
  for (const each of content) {
    const part = asObject(each);
    if (!/^(?:input_|output_)?audio$/.test(asName(part?.type) ?? '')) {
      parts.push(each);
    } else if (asName(part?.transcript) !== undefined) {
      parts.push({ type: 'text', text: part?.transcript });
    }
  }
  return readOpenAiItem({ ...item, content: parts }).items;
}

/** The model is named where the socket is opened, with Azure by its deployment. */
function modelInQuery(target: CallTarget | undefined): string | undefined {
  const query = target?.request?.target.split('?')[1] ?? '';
  const parameters = new URLSearchParams(query);
  return asName(parameters.get('model')) ?? asName(parameters.get('deployment'));
}
