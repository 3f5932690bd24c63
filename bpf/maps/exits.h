/* Processes whose exit was reported: of two last threads that leave at once, both may see that
 * nobody is left. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct exit_key {
    u64 start_ns;
    u32 pid;
    u32 pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct exit_key);
    __type(value, u32);
} exits SEC(".maps");
