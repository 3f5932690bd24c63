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

/* A power of two: threads whose numbers differ by a multiple of it share a count. */
#define PEER_SEARCH_COUNTS 16384

/*
 * How many of these threads have a search, so that a socket call of a thread without one costs a
 * load instead of a look-up. A count may be too high, where an entry has given way to others, and
 * then there is nothing to be found; it is never too low.
 */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, PEER_SEARCH_COUNTS);
    __type(key, u32);
    __type(value, u64);
} peer_search_counts SEC(".maps");

static __always_inline u64 *peer_search_count(u64 pid_tgid) {
    u32 place = pid_tgid % PEER_SEARCH_COUNTS;
    return bpf_map_lookup_elem(&peer_search_counts, &place);
}

/* The search of the current thread, whose `pid_tgid` that is, as for the functions below. */
static __always_inline struct peer_search *peer_search_of(u64 pid_tgid) {
    u64 *count = peer_search_count(pid_tgid);
    if (!count || !*count)
        return NULL;
    return bpf_map_lookup_elem(&peer_searches, &pid_tgid);
}

static __always_inline void keep_peer_search(u64 pid_tgid, const struct peer_search *search,
                                             bool is_new) {
    u64 *count = peer_search_count(pid_tgid);
    if (!count || bpf_map_update_elem(&peer_searches, &pid_tgid, search, BPF_ANY))
        return;
    if (is_new)
        __sync_fetch_and_add(count, 1);
}

static __always_inline void end_peer_search(u64 pid_tgid) {
    u64 *count = peer_search_count(pid_tgid);
    if (count && *count && !bpf_map_delete_elem(&peer_searches, &pid_tgid))
        __sync_fetch_and_add(count, -1);
}

/* By the socket's cookie: the connection that it was found to carry first. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, u64);
    __type(value, struct connection_key);
} socket_connections SEC(".maps");
