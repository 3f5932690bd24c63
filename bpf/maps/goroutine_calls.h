/*
 * TLS calls of Go that have begun and not returned. A goroutine may go on on another thread and its
 * stack may be moved, so the key is the goroutine and how far below the top of its stack the frame
 * is. Least recently used entries give way; a server has one for each idle connection, whose next
 * request it waits for.
 */
#pragma once

#include "calls.h"

struct goroutine_call_key {
    u64 goroutine;
    u64 depth;
    u32 pid;
    u32 pad;
};

struct goroutine_call {
    struct call call;
    /* How far below the top of the goroutine's stack the buffer is; 0 when it is elsewhere. */
    u64 buffer_depth;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct goroutine_call_key);
    __type(value, struct goroutine_call);
} goroutine_calls SEC(".maps");
