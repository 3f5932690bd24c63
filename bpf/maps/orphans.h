/*
 * Calls that have returned with bytes after their entry had given way to others: by what the entry
 * was kept under, until the connection of the call is met again. Least recently used entries give
 * way.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct orphan_key {
    /* The thread and its stack pointer (calls.h), or the goroutine and its depth
     * (goroutine_calls.h). */
    u64 owner;
    u64 place;
    u32 pid;
    u32 pad;
};

struct orphan {
    u64 time_ns;
    /* What the function returned. */
    u64 returned;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct orphan_key);
    __type(value, struct orphan);
} orphans SEC(".maps");
