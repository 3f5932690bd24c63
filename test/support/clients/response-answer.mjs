/** What a response object of OpenAI's says, in the shape of every client. */

function textOf(response) {
  const parts = response.output.flatMap((item) => item.content ?? []);
  return parts.map((part) => part.text ?? part.transcript ?? '').join('');
}

export function addResponse(answer, response) {
  answer.id = response.id;
  answer.model = response.model;
  answer.usage = response.usage;
  answer.error = response.error ?? undefined;
  const calls = response.output.filter((item) => item.type === 'function_call');
  answer.choices.push({
    text: textOf(response),
    toolCalls: calls.map((call) => ({
      id: call.call_id,
      name: call.name,
      argumentsText: call.arguments,
    })),
    finishReason:
      response.incomplete_details?.reason ?? response.status_details?.reason ?? response.status,
  });
}
