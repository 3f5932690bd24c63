/* Handshake functions that have begun and not returned. Least recently used entries give way. */
#pragma once

#include "calls.h"
#include "connections.h"
#include "goroutine_calls.h"

/* In struct connection. */
enum { HANDSHAKE_NONE = 0, HANDSHAKE_OPEN = 1, HANDSHAKE_OVER = 2 };

struct handshake_call {
    struct connection_key connection;
    u64 enter_ns;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct call_key);
    __type(value, struct handshake_call);
} handshake_calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct goroutine_call_key);
    __type(value, struct handshake_call);
} goroutine_handshakes SEC(".maps");

/* By pid and thread: the newest handshake function that it has entered. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, u64);
    __type(value, struct call_key);
} handshake_threads SEC(".maps");
