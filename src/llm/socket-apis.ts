/** Every wire API over WebSockets that is understood, in the order in which they are asked whether one is theirs. */
import { openAiRealtime } from './openai-realtime.ts';
import { openAiResponsesSocket } from './openai-responses-socket.ts';
import type { SocketApi } from './socket-api.ts';

export const SOCKET_APIS: readonly SocketApi[] = [openAiRealtime, openAiResponsesSocket];
