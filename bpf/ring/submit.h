/*
 * Room on the ring, and when to wake user space.
 *
 * Data may fill the ring only up to config.data_limit_bytes: what is left is for the small control
 * records, so that a loss, a close or an exit finds room when data does not. The kernel's own
 * wake-up decision fires only for a reader that has caught up, and mixing it with BPF_RB_NO_WAKEUP
 * can leave a reader asleep before a full ring; so the decision is always explicit, and user space
 * has a timer besides.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../maps/config.h"
#include "../maps/counters.h"
#include "../maps/records.h"

/* The ring's own header before each record. */
#define RING_OVERHEAD_BYTES 8

static __always_inline u64 pending_bytes(void) {
    return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);
}

static __always_inline bool has_room_for_data(u64 pending, u64 bytes) {
    return pending + bytes + RING_OVERHEAD_BYTES <= config.data_limit_bytes;
}

/* Hands `record` over; `pending` is what was on the ring when its room was reserved. */
static __always_inline void submit(void *record, u64 size, u64 pending) {
    u64 flags = pending + size >= config.wake_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
    bpf_ringbuf_submit(record, flags);
    count(SL_DROP_NONE, size);
}

static __always_inline struct sl_record_header record_header(u16 kind, u32 size) {
    struct sl_record_header header = {.size = size, .kind = kind};
    return header;
}
