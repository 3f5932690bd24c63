/* Which processes are seen. Written by user space, inherited at fork, cleared at exit. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../abi/events.h"
#include "config.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u32);
    __type(value, u32);
} policies SEC(".maps");

static __always_inline bool is_seen(u32 pid) {
    u32 *policy = bpf_map_lookup_elem(&policies, &pid);
    if (config.watch_all)
        return !policy || *policy != SL_POLICY_EXCLUDED;
    return policy && *policy == SL_POLICY_WATCHED;
}
