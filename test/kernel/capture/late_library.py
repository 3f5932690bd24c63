"""Loads a TLS library from the path given, long after its start, and asks a server for a page with it."""

import ctypes
import socket
import sys
import time

library, port, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
time.sleep(delay)
ssl = ctypes.CDLL(library)
for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
    getattr(ssl, name).restype = ctypes.c_void_p
context = ctypes.c_void_p(ssl.SSL_CTX_new(ctypes.c_void_p(ssl.TLS_client_method())))
# What a program does between loading its library and its first request; the handshake follows.
time.sleep(0.05)
connection = ctypes.c_void_p(ssl.SSL_new(context))
peer = socket.create_connection(("127.0.0.1", port))
ssl.SSL_set_fd(connection, peer.fileno())
assert ssl.SSL_connect(connection) == 1
request = b"GET /late HTTP/1.0\r\n\r\n"
assert ssl.SSL_write(connection, request, len(request)) == len(request)
buffer = ctypes.create_string_buffer(65536)
assert ssl.SSL_read(connection, buffer, len(buffer)) > 0
ssl.SSL_free(connection)
