"""`websockets`: the responses API over its connections."""

import asyncio
import contextlib
import ssl

import websockets

from client_options import read_options
from socket_answer import ask_all

options = read_options()
url = options.url.replace("http", "ws", 1) + "/v1/responses"
context = ssl.create_default_context(cafile=options.ca)


@contextlib.asynccontextmanager
async def open_socket():
    compression = "deflate" if options.encoding == "deflate" else None
    headers = {"authorization": "Bearer " + options.key}
    async with websockets.connect(
        url, ssl=context, compression=compression, extra_headers=headers, max_size=None
    ) as socket:
        yield socket.send, socket.recv


asyncio.run(ask_all(options, open_socket))
