/* Handshake functions that have begun and not returned. Least recently used entries give way. */
#pragma once

#include "calls.h"

struct handshake_call {
    u64 enter_ns;
    u64 object;
    /* enum sl_stack. */
    u32 stack;
    /* enum sl_side. */
    u32 side;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct call_key);
    __type(value, struct handshake_call);
} handshake_calls SEC(".maps");
