/**
 * Models of other publishers on Vertex AI, which speak their own APIs: the path names the model.
 * https://docs.anthropic.com/en/api/claude-on-vertex-ai
 */
import { anthropicMessages } from './anthropic-messages.ts';
import { openAiChatCompletions } from './openai-chat-completions.ts';
import { decodedSegment } from './path-segment.ts';
import type { WireApiReader } from './wire-api.ts';

const PATH = /\/publishers\/([^/]+)\/models\/([^/:]+):(rawPredict|streamRawPredict)$/;

/** Behind the same method, but no run of a model. */
const COUNTS_TOKENS = 'count-tokens';

/** The reader of `own`, for requests that Vertex AI passes on to models of `publisher`. */
function throughVertex(own: WireApiReader, publisher: string): WireApiReader {
  return {
    api: own.api,
    operation: own.operation,
    provider: 'gcp.vertex_ai',
    matches({ path }) {
      const match = PATH.exec(path);
      return match !== null && match[1] === publisher && match[2] !== COUNTS_TOKENS;
    },
    readRequest(context, target) {
      const reader = own.readRequest(context, target);
      const match = PATH.exec(target.path);
      return {
        plan: reader.plan,
        item: (name, value, isWhole) => reader.item(name, value, isWhole),
        end(root, isWhole) {
          const isCall = reader.end(root, isWhole);
          if (match !== null) {
            context.call.request.model = decodedSegment(match[2]!);
            if (match[3] === 'streamRawPredict') {
              context.call.request.stream ??= true;
            }
          }
          return isCall;
        },
      };
    },
    readAnswer: (context, answer) => own.readAnswer(context, answer),
  };
}

export const anthropicOnVertex: WireApiReader = throughVertex(anthropicMessages, 'anthropic');
export const mistralOnVertex: WireApiReader = throughVertex(openAiChatCompletions, 'mistralai');
