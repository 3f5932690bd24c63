/** AWS's Node SDK for Bedrock's runtime: `--api invoke` sends a model's own body, anything else Converse. */
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { addAnthropicEvent, addAnthropicMessage, answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new BedrockRuntimeClient({
  region: 'us-east-1',
  endpoint: options.url,
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: options.key },
  maxAttempts: 1,
});
const modelId = options.model;
const schema = { type: 'object', properties: { command: { type: 'string' } } };

function converseInput(index) {
  const toolSpec = { name: 'shell', description: 'd', inputSchema: { json: schema } };
  return {
    modelId,
    messages: [{ role: 'user', content: [{ text: promptOf(options, index) }] }],
    inferenceConfig: { maxTokens: 100 },
    toolConfig: { tools: [{ toolSpec }] },
  };
}

function usageOf(usage) {
  const cached = usage.cacheReadInputTokens;
  return {
    inputTokens: usage.inputTokens + (cached ?? 0) + (usage.cacheWriteInputTokens ?? 0),
    outputTokens: usage.outputTokens,
    cacheReadInputTokens: cached,
  };
}

function addMessage(answer, response) {
  const choice = { text: '', reasoning: '', toolCalls: [], finishReason: response.stopReason };
  for (const block of response.output.message.content) {
    choice.text += block.text ?? '';
    choice.reasoning += block.reasoningContent?.reasoningText?.text ?? '';
    if (block.toolUse !== undefined) {
      const { toolUseId, name, input } = block.toolUse;
      choice.toolCalls.push({ id: toolUseId, name, argumentsText: JSON.stringify(input) });
    }
  }
  answer.choices.push(choice);
  answer.usage = usageOf(response.usage);
}

function addEvent(answer, event) {
  answer.choices[0] ??= { text: '', reasoning: '', toolCalls: [] };
  const choice = answer.choices[0];
  const started = event.contentBlockStart?.start?.toolUse;
  if (started !== undefined) {
    choice.toolCalls.push({ id: started.toolUseId, name: started.name, argumentsText: '' });
  }
  const delta = event.contentBlockDelta?.delta;
  choice.text += delta?.text ?? '';
  choice.reasoning += delta?.reasoningContent?.text ?? '';
  if (delta?.toolUse !== undefined) {
    choice.toolCalls.at(-1).argumentsText += delta.toolUse.input;
  }
  if (event.messageStop !== undefined) {
    choice.finishReason = event.messageStop.stopReason;
  }
  if (event.metadata !== undefined) {
    answer.usage = usageOf(event.metadata.usage);
  }
}

async function converse(answer, index) {
  if (!options.stream) {
    addMessage(answer, await client.send(new ConverseCommand(converseInput(index))));
    return;
  }
  const { stream } = await client.send(new ConverseStreamCommand(converseInput(index)));
  for await (const event of stream) {
    addEvent(answer, event);
  }
}

/** The thinking in a whole message, or in one event of a streamed one. */
function thinkingOf(value) {
  const blocks = value.content ?? (value.type === 'content_block_delta' ? [value.delta] : []);
  return blocks.map((block) => block.thinking ?? '').join('');
}

/** Claude's own counts, as the service's are: cached tokens apart. */
function fromAnthropic(answer) {
  const usage = answer.usage;
  answer.usage = {
    inputTokens:
      usage.input_tokens +
      (usage.cache_read_input_tokens ?? 0) +
      (usage.cache_creation_input_tokens ?? 0),
    outputTokens: usage.output_tokens,
    cacheReadInputTokens: usage.cache_read_input_tokens,
  };
}

async function invoke(answer, index) {
  const body = JSON.stringify({
    anthropic_version: 'bedrock-2023-05-31',
    max_tokens: 100,
    messages: [{ role: 'user', content: promptOf(options, index) }],
    tools: [{ name: 'shell', description: 'd', input_schema: schema }],
  });
  const input = { modelId, body, contentType: 'application/json' };
  let reasoning = '';
  if (!options.stream) {
    const response = await client.send(new InvokeModelCommand(input));
    const message = JSON.parse(Buffer.from(response.body).toString('utf8'));
    addAnthropicMessage(answer, message);
    reasoning = thinkingOf(message);
  } else {
    const response = await client.send(new InvokeModelWithResponseStreamCommand(input));
    for await (const { chunk } of response.body) {
      const event = JSON.parse(Buffer.from(chunk.bytes).toString('utf8'));
      addAnthropicEvent(answer, event);
      reasoning += thinkingOf(event);
    }
  }
  answer.choices[0].reasoning = reasoning;
  fromAnthropic(answer);
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  await (options.api === 'invoke' ? invoke(answer, index) : converse(answer, index));
  return answerResult(answer);
});
client.destroy();
