"""Posts by pyOpenSSL, whose OpenSSL is within a wheel. Arguments: URL, file of the authority (unused), requests, at once
(unused), keep | fresh."""

import socket
import sys
from urllib.parse import urlsplit

from OpenSSL import SSL

url, _, count, _, connections = sys.argv[1:6]
context = SSL.Context(SSL.TLS_CLIENT_METHOD)
address = urlsplit(url)
body = b"abc" * 20000
head = f"POST {address.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()


def connect():
    connection = SSL.Connection(context, socket.create_connection(("127.0.0.1", address.port)))
    connection.set_tlsext_host_name(b"localhost")
    connection.set_connect_state()
    connection.do_handshake()
    return connection


connection = connect()
for number in range(int(count)):
    connection.sendall(head + body)
    answer = b""
    while not answer.endswith(b"0\r\n\r\n"):
        answer += connection.recv(8192)
    if connections == "fresh":
        connection.close()
        connection = connect() if number + 1 < int(count) else None
