/** Google's Node SDK. */
import { GoogleGenAI } from '@google/genai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new GoogleGenAI({
  apiKey: options.key,
  httpOptions: { baseUrl: options.url },
});
const config = {
  temperature: 0.5,
  tools: [{ functionDeclarations: [{ name: 'shell', description: 'Runs a command.' }] }],
};

/** What the SDK made of an answer, or of one chunk of it. */
function add(answer, response) {
  answer.id ||= response.responseId;
  answer.model ||= response.modelVersion;
  const candidate = response.candidates?.[0];
  answer.choices[0] ??= { text: '', reasoning: '', toolCalls: [] };
  const choice = answer.choices[0];
  for (const part of candidate?.content?.parts ?? []) {
    choice[part.thought ? 'reasoning' : 'text'] += part.text ?? '';
  }
  for (const { id, name, args } of response.functionCalls ?? []) {
    choice.toolCalls.push({
      ...(id === undefined ? {} : { id }),
      name,
      argumentsText: JSON.stringify(args),
    });
  }
  if (candidate?.finishReason) {
    choice.finishReason = candidate.finishReason;
  }
  const usage = response.usageMetadata;
  if (usage) {
    answer.usage = {
      inputTokens: usage.promptTokenCount,
      outputTokens: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      cacheReadInputTokens: usage.cachedContentTokenCount,
      reasoningOutputTokens: usage.thoughtsTokenCount,
    };
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const request = { model: options.model, contents: promptOf(options, index), config };
  if (!options.stream) {
    add(answer, await client.models.generateContent(request));
    return answerResult(answer);
  }
  for await (const chunk of await client.models.generateContentStream(request)) {
    add(answer, chunk);
  }
  return answerResult(answer);
});
