"""Reads model answers the way a plain client does, and gives every client's result the same shape."""

import hashlib
import json
import re

from client_options import text_result


class Answer:
    def __init__(self):
        self.id = None
        self.model = None
        self.choices = []
        self.usage = None
        self.error = None

    def choice(self, index):
        while len(self.choices) <= index:
            self.choices.append({"text": "", "toolCalls": []})
        return self.choices[index]

    def add_openai(self, chunk):
        """Adds a chat completion, or one chunk of a streamed one."""
        if chunk.get("error"):
            self.error = chunk["error"]
            return
        self.id = self.id or chunk.get("id")
        self.model = self.model or chunk.get("model")
        for entry in chunk.get("choices") or []:
            choice = self.choice(entry["index"])
            part = entry.get("delta") or entry.get("message") or {}
            choice["text"] += part.get("content") or ""
            self._add_calls(choice["toolCalls"], part.get("tool_calls") or [])
            if entry.get("finish_reason"):
                choice["finishReason"] = entry["finish_reason"]
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage")
        if usage:
            self.usage = usage

    @staticmethod
    def _add_calls(own, calls):
        for call in calls:
            index = call.get("index")
            if index is None or index >= len(own):
                own.append({"name": "", "argumentsText": ""})
                if call.get("id") is not None:
                    own[-1]["id"] = call["id"]
                index = len(own) - 1
            function = call.get("function") or {}
            own[index]["name"] += function.get("name") or ""
            arguments = function.get("arguments") or ""
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments)
            own[index]["argumentsText"] += arguments

    def add_anthropic_message(self, message):
        self.id = message["id"]
        self.model = message["model"]
        self.usage = message.get("usage")
        choice = self.choice(0)
        if message.get("stop_reason"):
            choice["finishReason"] = message["stop_reason"]
        for block in message["content"]:
            if block["type"] == "text":
                choice["text"] += block["text"]
            elif block["type"] == "tool_use":
                arguments = json.dumps(block["input"])
                call = {"id": block["id"], "name": block["name"], "argumentsText": arguments}
                choice["toolCalls"].append(call)

    def add_anthropic_event(self, event):
        kind = event["type"]
        choice = self.choice(0)
        if kind == "message_start":
            self.id = event["message"]["id"]
            self.model = event["message"]["model"]
            self.usage = event["message"].get("usage")
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            block = event["content_block"]
            call = {"id": block["id"], "name": block["name"], "argumentsText": ""}
            choice["toolCalls"].append(call)
        elif kind == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":
                choice["text"] += delta["text"]
            elif delta["type"] == "input_json_delta":
                choice["toolCalls"][-1]["argumentsText"] += delta["partial_json"]
        elif kind == "message_delta":
            if event["delta"].get("stop_reason"):
                choice["finishReason"] = event["delta"]["stop_reason"]
            if event.get("usage"):
                self.usage = {**(self.usage or {}), **event["usage"]}
        elif kind == "error":
            self.error = event["error"]

    def result(self):
        """The printed form."""
        choices = []
        for choice in self.choices:
            rest = {key: value for key, value in choice.items() if key != "text"}
            choices.append({**rest, **text_result(choice["text"])})
        result = {"choices": choices}
        for name in ("id", "model", "usage", "error"):
            value = getattr(self, name)
            if value is not None:
                result[name] = value
        return result


def sse_data(text):
    """The data of each event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    events = []
    data = []
    # Not splitlines(): it also splits at characters that may be inside the data.
    for line in re.split("\r\n|\n|\r", text.removeprefix("\ufeff")):
        if line == "":
            if data:
                events.append("\n".join(data))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    if data:
        events.append("\n".join(data))
    return events


def parse_answer(api, content_type, body):
    answer = Answer()
    text = body.decode("utf8", errors="replace")
    if "event-stream" not in (content_type or ""):
        value = json.loads(text)
        if value.get("error"):
            answer.error = value["error"]
        elif api == "anthropic":
            answer.add_anthropic_message(value)
        else:
            answer.add_openai(value)
        return answer
    for data in sse_data(text):
        if data == "[DONE]":
            break
        try:
            value = json.loads(data)
        except ValueError:
            answer.error = {"message": "the stream broke off", "type": "broken_stream"}
            break
        if api == "anthropic":
            answer.add_anthropic_event(value)
        else:
            answer.add_openai(value)
    return answer


def response_result(options, status, content_type, body):
    """The printed form of a response of which the client saw head and decoded body."""
    result = {
        "status": status,
        "bodyBytes": len(body),
        "bodySha256": hashlib.sha256(body).hexdigest(),
    }
    if options.targets:
        return result
    return {**result, **parse_answer(options.api, content_type, body).result()}
