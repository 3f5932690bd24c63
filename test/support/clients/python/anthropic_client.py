"""Anthropic's Python SDK. Runs in the environment that scripts/real/python-sdks.sh makes."""

from anthropic import Anthropic, DefaultHttpxClient

from answer import Answer
from client_options import body_of, describe, print_result, read_options

options = read_options(api="anthropic")
client = Anthropic(
    base_url=options.url,
    api_key=options.key,
    max_retries=0,
    http_client=DefaultHttpxClient(verify=options.verify, timeout=60),
)

for index in range(options.count):
    answer = Answer()
    try:
        result = client.messages.create(**body_of(options, index))
        if options.stream:
            for event in result:
                answer.add_anthropic_event(event.model_dump(exclude_none=True))
        else:
            answer.add_anthropic_message(result.model_dump(exclude_none=True))
    except Exception as error:  # What a client raises is its result.
        print_result(index, {**answer.result(), **describe(error)})
        continue
    print_result(index, answer.result())
