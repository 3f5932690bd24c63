/* Which socket a connection is carried by, and the threads that may be about to show it. Least
 * recently used entries give way. */
#pragma once

#include "calls.h"
#include "connections.h"
#include "goroutine_calls.h"

/* The newest call of a thread on a connection whose socket is not known yet. */
struct peer_search {
    struct connection_key connection;
    u64 enter_ns;
    /* By which the call is kept: the stack pointer (calls.h), or the goroutine and its depth
     * (goroutine_calls.h). */
    u64 place;
    u64 depth;
    /* Bytes of the first write whose encrypted form no socket has been seen to take; 0: none. */
    u32 unsent_bytes;
    /* enum sl_stack. */
    u16 stack;
    /* The call is kept in handshake_calls.h. */
    u16 is_handshake;
};

/* By pid and thread. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, u64);
    __type(value, struct peer_search);
} peer_searches SEC(".maps");

/* By the socket's cookie: the connection that it was found to carry first. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, u64);
    __type(value, struct connection_key);
} socket_connections SEC(".maps");
