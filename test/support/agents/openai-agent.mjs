/** A small agent on OpenAI's SDK: asks the model, runs the shell commands it wants, until it answers. */
import OpenAI from 'openai';
import { printSummary, readAgentOptions, resultText, runShell, SHELL_TOOL } from './shell-tool.mjs';

const options = readAgentOptions('gpt-4o');
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: 'sk-test-agent', maxRetries: 0 });
const tools = [
  {
    type: 'function',
    function: {
      name: SHELL_TOOL.name,
      description: SHELL_TOOL.description,
      parameters: SHELL_TOOL.schema,
    },
  },
];
const messages = [{ role: 'system', content: 'You are a careful assistant with a shell.' }];

async function ask() {
  const request = { model: options.model, messages, tools };
  if (!options.stream) {
    return client.chat.completions.create(request);
  }
  const stream_options = { include_usage: true };
  return client.chat.completions.stream({ ...request, stream_options }).finalChatCompletion();
}

const turns = [];
for (const prompt of options.prompts) {
  messages.push({ role: 'user', content: prompt });
  const turn = { prompt, calls: [], tools: [], answer: '' };
  turns.push(turn);
  for (;;) {
    const completion = await ask();
    const { message } = completion.choices[0];
    turn.calls.push(completion.id);
    messages.push(message);
    const toolCalls = message.tool_calls ?? [];
    if (toolCalls.length === 0) {
      turn.answer = message.content;
      break;
    }
    const results = await Promise.all(
      toolCalls.map(async (call) => ({
        id: call.id,
        ...(await runShell(JSON.parse(call.function.arguments).command)),
      })),
    );
    for (const result of results) {
      turn.tools.push(result);
      messages.push({ role: 'tool', tool_call_id: result.id, content: resultText(result) });
    }
  }
}
printSummary(turns);
