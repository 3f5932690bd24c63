"""`httpx` without async: one client a connection; open responses are read in turns."""

import httpx

from answer import response_result
from client_options import describe, print_result, read_options, request_of
from taking_turns import read_in_turns

options = read_options()
clients = [httpx.Client(verify=options.verify) for _ in range(options.connections)]


def start(index):
    method, path, headers, body = request_of(options, index)
    client = clients[index % len(clients)]
    request = client.build_request(
        method,
        options.url + path,
        headers=headers,
        content=body if method != "GET" else None,
        timeout=60,
    )
    return client.send(request, stream=True)


def finish(index, response, body):
    response.close()
    content_type = response.headers.get("content-type")
    print_result(index, response_result(options, response.status_code, content_type, body))


read_in_turns(
    options,
    start,
    lambda response: response.iter_bytes(),
    finish,
    lambda index, error: print_result(index, describe(error)),
)
