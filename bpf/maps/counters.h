/* What was handed over and what was not, by reason (enum sl_drop). */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../abi/events.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SL_DROP_COUNT);
    __type(key, u32);
    __type(value, struct sl_counter);
} counters SEC(".maps");

/* Atomic, because a probe's program may be preempted by another one on its CPU. */
static __always_inline void count(u32 reason, u64 bytes) {
    struct sl_counter *counter = bpf_map_lookup_elem(&counters, &reason);
    if (!counter)
        return;
    __sync_fetch_and_add(&counter->records, 1);
    __sync_fetch_and_add(&counter->bytes, bytes);
}
