/* TCP sockets of seen processes: whether they speak unencrypted HTTP. Least recently used ones give
 * way, and are judged again. */
#pragma once

#include "connections.h"

/* Sockets are told apart by the kernel's cookie, which it never gives twice. As an object it is
 * made a multiple of 8 beyond all addresses of user space. */
#define PLAIN_OBJECT(cookie) ((1ULL << 52) | (cookie) << 3)

enum { PLAIN_HTTP = 1, PLAIN_OTHER = 2 };

/* Calls that may begin with no message before a socket is given up: observation may have begun in
 * the middle of one. */
#define PLAIN_TRIES 64

struct plain_socket {
    u32 kind;
    u32 tries;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct connection_key);
    __type(value, struct plain_socket);
} plain_sockets SEC(".maps");
