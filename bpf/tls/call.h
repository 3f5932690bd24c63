/*
 * A TLS call from its entry to its return. Bytes are copied at the return, when it is known how
 * many there are: a write that was refused and retried would appear twice otherwise.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_tracing.h>
#include "../maps/calls.h"
#include "../maps/policies.h"
#include "stream.h"

/* The stack pointer that a frame had at its entry, seen from its return. x86 has popped the return
 * address. */
#if defined(__TARGET_ARCH_x86)
#define RETURN_ADDRESS_BYTES 8
#else
#define RETURN_ADDRESS_BYTES 0
#endif

static __always_inline int enter_call(struct pt_regs *ctx, u64 direction, u64 count_address) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct call_key key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = PT_REGS_SP(ctx),
    };
    struct call call = {
        .enter_ns = bpf_ktime_get_boot_ns(),
        .object = PT_REGS_PARM1(ctx),
        .buffer = PT_REGS_PARM2(ctx),
        .capacity = PT_REGS_PARM3(ctx),
        .count_address = count_address,
        .direction = direction,
    };
    /* Functions that return the number take it as an int, whose upper half is undefined in the
     * register. */
    if (!count_address)
        call.capacity = (u32)call.capacity;
    if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    return 0;
}

/* Bytes that the returned call carried; 0 when it carried none. */
static __always_inline u64 carried_bytes(const struct call *call, u64 returned) {
    s32 result = (s32)returned;
    if (result <= 0)
        return 0;
    if (!call->count_address)
        return result;
    u64 bytes = 0;
    if (bpf_probe_read_user(&bytes, sizeof(bytes), (void *)call->count_address))
        count(SL_DROP_FAULT, 0);
    return bytes;
}

static __always_inline void finish_call(const struct call *call, u64 pid_tgid, u64 returned) {
    u64 bytes = forget_bounds(carried_bytes(call, returned), call->enter_ns);
    if (bytes == 0)
        return;
    if (bytes > call->capacity) {
        count(SL_DROP_BAD_LENGTH, 0);
        return;
    }
    u32 pid = pid_tgid >> 32;
    u32 tid = pid_tgid;
    u64 direction = call->direction & 1;
    struct connection_key key = {
        .object = call->object,
        .pid = pid,
    };
    struct connection *connection = connection_of(&key, call->enter_ns);
    if (!connection) {
        count(SL_DROP_TABLE, bytes);
        return;
    }
    /*
     * Some libraries implement one of the probed functions by another (SSL_read_ex by SSL_read):
     * the inner call has carried these bytes already, when it began after this one and on this
     * thread.
     */
    if (connection->last_enter_ns[direction] > call->enter_ns &&
        connection->last_tid[direction] == tid)
        return;
    connection->last_enter_ns[direction] = call->enter_ns;
    connection->last_tid[direction] = tid;

    struct transfer transfer = {
        .time_ns = bpf_ktime_get_boot_ns(),
        .enter_ns = call->enter_ns,
        .process = {.start_ns = connection->process_start_ns, .pid = pid, .tid = tid},
        .object = call->object,
        .generation = connection->generation,
        .buffer = call->buffer,
        .bytes = bytes,
        .position = connection->position[direction],
        .direction = direction,
    };
    connection->position[direction] = transfer.position + bytes;
    emit_transfer(&transfer, connection);
}

static __always_inline int exit_call(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct call_key key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES,
    };
    struct call *entry = bpf_map_lookup_elem(&calls, &key);
    if (!entry) {
        if ((s32)PT_REGS_RC(ctx) > 0)
            count(SL_DROP_ORPHAN, 0);
        return 0;
    }
    /* A copy, because the entry may be given to another call as soon as it is deleted. */
    struct call call = *entry;
    bpf_map_delete_elem(&calls, &key);
    finish_call(&call, pid_tgid, PT_REGS_RC(ctx));
    return 0;
}
