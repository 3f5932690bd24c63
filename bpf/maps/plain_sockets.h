/* TCP sockets of seen processes: whether they speak unencrypted HTTP. */
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

/* As each process has judged it. Least recently used ones give way, and are judged again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct connection_key);
    __type(value, struct plain_socket);
} plain_sockets SEC(".maps");

/*
 * What the first process to be sure has judged, kept with the socket itself: the kernel frees it
 * with the socket, and what it takes counts towards what the socket may take (net.core.optmem_max).
 * PLAIN_OTHER is so for every process; of a socket that is PLAIN_HTTP for one, another judges for
 * itself.
 */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, u32);
} socket_kinds SEC(".maps");
