"""OpenAI's Python SDK. Runs in the environment that scripts/real/python-sdks.sh makes."""

from openai import DefaultHttpxClient, OpenAI

from answer import Answer
from client_options import body_of, describe, print_result, read_options

options = read_options()
client = OpenAI(
    base_url=options.url + "/v1",
    api_key=options.key,
    max_retries=0,
    http_client=DefaultHttpxClient(verify=options.verify, timeout=60),
)

for index in range(options.count):
    answer = Answer()
    try:
        result = client.chat.completions.create(**body_of(options, index))
        if options.stream:
            for chunk in result:
                answer.add_openai(chunk.model_dump(exclude_none=True))
        else:
            answer.add_openai(result.model_dump(exclude_none=True))
    except Exception as error:  # What a client raises is its result.
        print_result(index, {**answer.result(), **describe(error)})
        continue
    print_result(index, answer.result())
