/** Every call of every vendor's SDK, in the order in which they are made. */
import { ANTHROPIC_CASES } from './anthropic-calls.ts';
import { BEDROCK_CASES } from './bedrock-calls.ts';
import { COHERE_CASES } from './cohere-calls.ts';
import { CONVERSATIONS_CASES } from './conversations-calls.ts';
import { GOOGLE_CASES } from './google-calls.ts';
import { INTERACTIONS_CASES } from './interactions-calls.ts';
import { MISTRAL_CASES } from './mistral-calls.ts';
import { OLLAMA_CASES } from './ollama-calls.ts';
import { OPENAI_CASES } from './openai-calls.ts';
import type { SdkCase } from './sdk-case.ts';

export const SDK_CASES: readonly SdkCase[] = [
  ...OPENAI_CASES,
  ...ANTHROPIC_CASES,
  ...GOOGLE_CASES,
  ...INTERACTIONS_CASES,
  ...BEDROCK_CASES,
  ...COHERE_CASES,
  ...OLLAMA_CASES,
  ...MISTRAL_CASES,
  ...CONVERSATIONS_CASES,
];
