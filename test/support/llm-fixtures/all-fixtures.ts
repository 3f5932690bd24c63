/** The fixtures of every wire API. */
import { ANTHROPIC_FIXTURES } from './anthropic-fixtures.ts';
import {
  BEDROCK_CONVERSE_FIXTURES,
  BEDROCK_EMBEDDINGS_FIXTURES,
  BEDROCK_INVOKE_FIXTURES,
} from './bedrock-fixtures.ts';
import {
  COHERE_EMBEDDINGS_FIXTURES,
  COHERE_FIXTURES,
  COHERE_V1_FIXTURES,
} from './cohere-fixtures.ts';
import { COHERE_GENERATE_FIXTURES, COHERE_SUMMARIES_FIXTURES } from './cohere-generate-fixtures.ts';
import { COMPLETIONS_FIXTURES } from './completions-fixtures.ts';
import { CONVERSATIONS_FIXTURES } from './conversations-fixtures.ts';
import { EMBEDDINGS_FIXTURES } from './embeddings-fixtures.ts';
import type { Fixture } from './fixture.ts';
import { GEMINI_EMBEDDINGS_FIXTURES, GEMINI_FIXTURES } from './gemini-fixtures.ts';
import { INTERACTIONS_FIXTURES } from './interactions-fixtures.ts';
import { AUDIO_FIXTURES, IMAGES_FIXTURES, MODERATIONS_FIXTURES } from './media-fixtures.ts';
import { OCR_FIXTURES } from './ocr-fixtures.ts';
import {
  OLLAMA_EMBEDDINGS_FIXTURES,
  OLLAMA_FIXTURES,
  OLLAMA_GENERATE_FIXTURES,
} from './ollama-fixtures.ts';
import { OPENAI_FIXTURES } from './openai-fixtures.ts';
import { COMPACTIONS_FIXTURES, RESPONSES_FIXTURES } from './responses-fixtures.ts';
import { VERTEX_FIXTURES } from './vertex-fixtures.ts';

export const FIXTURES_BY_API: readonly (readonly [api: string, fixtures: readonly Fixture[]])[] = [
  ['chat completions', OPENAI_FIXTURES],
  ['responses', RESPONSES_FIXTURES],
  ['compactions', COMPACTIONS_FIXTURES],
  ['completions', COMPLETIONS_FIXTURES],
  ['embeddings', EMBEDDINGS_FIXTURES],
  ['images', IMAGES_FIXTURES],
  ['audio', AUDIO_FIXTURES],
  ['moderations', MODERATIONS_FIXTURES],
  ['messages', ANTHROPIC_FIXTURES],
  ['generateContent', GEMINI_FIXTURES],
  ["Gemini's embeddings", GEMINI_EMBEDDINGS_FIXTURES],
  ["Gemini's interactions", INTERACTIONS_FIXTURES],
  ["Ollama's chat", OLLAMA_FIXTURES],
  ["Ollama's generate", OLLAMA_GENERATE_FIXTURES],
  ["Ollama's embeddings", OLLAMA_EMBEDDINGS_FIXTURES],
  ["Cohere's chat", COHERE_FIXTURES],
  ["Cohere's chat, version 1", COHERE_V1_FIXTURES],
  ["Cohere's generate", COHERE_GENERATE_FIXTURES],
  ["Cohere's summaries and classifications", COHERE_SUMMARIES_FIXTURES],
  ["Cohere's embeddings", COHERE_EMBEDDINGS_FIXTURES],
  ["Mistral's conversations", CONVERSATIONS_FIXTURES],
  ["Mistral's OCR", OCR_FIXTURES],
  ['Converse', BEDROCK_CONVERSE_FIXTURES],
  ['InvokeModel', BEDROCK_INVOKE_FIXTURES],
  ["Bedrock's embeddings", BEDROCK_EMBEDDINGS_FIXTURES],
  ['rawPredict', VERTEX_FIXTURES],
];
