"""Asks for responses over a WebSocket, whatever library carries the messages."""

import asyncio
import json

from client_options import describe, print_result, prompt_of, text_result


def request_message(options, index):
    content = [{"type": "input_text", "text": prompt_of(options, index)}]
    message = {"type": "message", "role": "user", "content": content}
    return json.dumps({"type": "response.create", "model": options.model, "input": [message]})


def result_of(event):
    """The result in an event that ends a response; None for every other."""
    if event["type"] == "error":
        return {"error": event["error"]}
    response = event.get("response") or {}
    if response.get("status") not in ("completed", "incomplete", "failed"):
        return None
    text = ""
    for item in response["output"]:
        for part in item.get("content") or []:
            text += part.get("text") or ""
    choice = {**text_result(text), "toolCalls": []}
    return {"id": response["id"], "usage": response["usage"], "choices": [choice]}


async def ask_all(options, open_socket):
    """`open_socket` is an async context manager that gives `send(text)` and `receive()`."""
    indexes = iter(range(options.count))

    async def worker():
        async with open_socket() as (send, receive):
            for index in indexes:
                try:
                    await send(request_message(options, index))
                    result = None
                    while result is None:
                        result = result_of(json.loads(await receive()))
                    print_result(index, result)
                except Exception as error:  # What a client raises is its result.
                    print_result(index, describe(error))

    await asyncio.gather(*(worker() for _ in range(options.connections)))
