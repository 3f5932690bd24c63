/*
 * Processes whose probes user space has taken away, because there was nothing to see in them for
 * long. User space alone writes them; it is woken when one of them may be about to do something
 * else.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u32);
    __type(value, u32);
} resting_processes SEC(".maps");

static __always_inline bool is_resting(u32 pid) {
    return bpf_map_lookup_elem(&resting_processes, &pid);
}
