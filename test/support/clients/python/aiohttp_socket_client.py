"""`aiohttp`: the responses API over its WebSockets."""

import asyncio
import contextlib
import ssl

import aiohttp

from client_options import read_options
from socket_answer import ask_all

options = read_options()
context = ssl.create_default_context(cafile=options.ca)


@contextlib.asynccontextmanager
async def open_socket():
    headers = {"authorization": "Bearer " + options.key}
    compress = 15 if options.encoding == "deflate" else 0
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            options.url + "/v1/responses",
            ssl=context,
            compress=compress,
            headers=headers,
            max_msg_size=0,
        ) as socket:
            yield socket.send_str, socket.receive_str


asyncio.run(ask_all(options, open_socket))
