"""`requests`: one session a connection; open responses are read in turns, so their connections interleave."""

import requests

from answer import response_result
from client_options import describe, print_result, read_options, request_of
from taking_turns import read_in_turns

options = read_options()
sessions = [requests.Session() for _ in range(options.connections)]


def start(index):
    method, path, headers, body = request_of(options, index)
    session = sessions[index % len(sessions)]
    return session.request(
        method,
        options.url + path,
        headers=headers,
        data=body if method != "GET" else None,
        verify=options.verify,
        stream=True,
    )


def finish(index, response, body):
    content_type = response.headers.get("content-type")
    print_result(index, response_result(options, response.status_code, content_type, body))


read_in_turns(
    options,
    start,
    lambda response: response.iter_content(chunk_size=512),
    finish,
    lambda index, error: print_result(index, describe(error)),
)
