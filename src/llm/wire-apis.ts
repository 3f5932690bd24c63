/** Every wire API that is understood, in the order in which they are asked whether a request is theirs. */
import { anthropicMessages } from './anthropic-messages.ts';
import { bedrockConverse } from './bedrock-converse.ts';
import { bedrockInvokeModel } from './bedrock-invoke-model.ts';
import { cohereChat } from './cohere-chat.ts';
import { cohereChatV1 } from './cohere-chat-v1.ts';
import { cohereEmbeddings } from './cohere-embeddings.ts';
import { cohereGenerate } from './cohere-generate.ts';
import { cohereClassifications, cohereSummaries } from './cohere-summaries.ts';
import { geminiEmbeddings } from './gemini-embeddings.ts';
import { geminiGenerateContent } from './gemini-generate-content.ts';
import { geminiInteractions } from './gemini-interactions.ts';
import { mistralConversations } from './mistral-conversations.ts';
import { mistralOcr } from './mistral-ocr.ts';
import { ollamaChat } from './ollama-chat.ts';
import { ollamaEmbeddings } from './ollama-embeddings.ts';
import { ollamaGenerate } from './ollama-generate.ts';
import { openAiChatCompletions } from './openai-chat-completions.ts';
import { openAiCompactions } from './openai-compactions.ts';
import { openAiCompletions } from './openai-completions.ts';
import { openAiEmbeddings } from './openai-embeddings.ts';
import { openAiAudio, openAiImages } from './openai-media.ts';
import { openAiModerations } from './openai-moderations.ts';
import { openAiResponses } from './openai-responses.ts';
import { anthropicOnVertex, mistralOnVertex } from './vertex-raw-predict.ts';
import type { WireApiReader } from './wire-api.ts';

export const WIRE_APIS: readonly WireApiReader[] = [
  openAiChatCompletions,
  openAiResponses,
  openAiCompactions,
  openAiCompletions,
  openAiEmbeddings,
  openAiImages,
  openAiAudio,
  openAiModerations,
  anthropicMessages,
  geminiGenerateContent,
  geminiEmbeddings,
  geminiInteractions,
  ollamaChat,
  ollamaGenerate,
  ollamaEmbeddings,
  cohereChat,
  cohereChatV1,
  cohereGenerate,
  cohereSummaries,
  cohereClassifications,
  cohereEmbeddings,
  mistralConversations,
  mistralOcr,
  bedrockConverse,
  bedrockInvokeModel,
  anthropicOnVertex,
  mistralOnVertex,
];
