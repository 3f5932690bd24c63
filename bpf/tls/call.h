/*
 * A TLS call from its entry to its return. Bytes are copied at the return, when it is known how
 * many there are: a write that was refused and retried would appear twice otherwise.
 */
#pragma once

#include "../kernel/frame.h"
#include "../kernel/place.h"
#include "../kernel/types.h"
#include <bpf/bpf_tracing.h>
#include "../maps/calls.h"
#include "../maps/policies.h"
#include "peer_search.h"
#include "packet.h"
#include "open_call.h"
#include "skip.h"
#include "stream.h"

/* The stack pointer that a frame had at its entry, seen from its return. x86 has popped the return
 * address. */
#if defined(__TARGET_ARCH_x86)
#define RETURN_ADDRESS_BYTES 8
#else
#define RETURN_ADDRESS_BYTES 0
#endif

/* Longer than a socket lets a call wait that sends what was corked. */
#define QUIET_MAX_NS (60ULL * 1000 * 1000 * 1000)

/* How a function that carries plaintext is called: all that differs between them. */
struct call_shape {
    u32 stack;
    u32 direction;
    /* Where it stores the number of bytes; 0 when it returns it. */
    u64 count_address;
    /* It returns a number as wide as a register, not an int. */
    u64 is_wide;
    /* Its bytes are in no memory of the process. */
    u64 has_no_buffer;
    /* It carries no bytes of its own. */
    u64 is_empty;
    /* It stores the address of a packet where its buffer would be. */
    u64 is_packet;
    /* Where it is seen, and the first three arguments there; 0 at its beginning. */
    u64 place;
};

/* The object, the buffer and the buffer's size are the first three arguments of all of them. */
static __always_inline int enter_call(struct pt_regs *ctx, const struct call_shape shape) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct call_key key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = PT_REGS_SP(ctx) + place_stack_bytes(shape.place),
    };
    struct call call = {
        .enter_ns = bpf_ktime_get_boot_ns(),
        .function = PT_REGS_IP(ctx),
        .object = shape.place ? place_register(ctx, shape.place, 0) : PT_REGS_PARM1(ctx),
        .buffer = shape.has_no_buffer ? 0
                  : shape.place       ? place_register(ctx, shape.place, 1)
                                      : PT_REGS_PARM2(ctx),
        .capacity = shape.place ? place_register(ctx, shape.place, 2) : PT_REGS_PARM3(ctx),
        .count_address = shape.count_address,
        .direction = shape.direction,
        .stack = shape.stack,
        .is_wide = shape.is_wide,
        .is_packet = shape.is_packet,
        .ends_elsewhere = shape.place != 0,
    };
    /* Functions that return the number as an int take it as one, whose upper half is undefined in
     * the register. */
    if (!shape.count_address && !shape.is_wide)
        call.capacity = (u32)call.capacity;
    struct call *present = bpf_map_lookup_elem(&calls, &key);
    if (present && !present->is_finished) {
        /* A function that the first has jumped to; another call in its place means that it was left
         * without a return. */
        if (present->object == call.object && present->direction == call.direction &&
            present->function != call.function)
            call.sharing = present->sharing + 1;
        else
            lose_call(present->object, present->direction, present->enter_ns);
    }
    bool has_peer = !shape.is_empty && open_call(&call, pid_tgid, key.stack_pointer, !call.sharing);
    if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    if (has_peer)
        return 0;
    struct peer_search search = {
        .connection = {.object = call.object, .pid = pid_tgid >> 32},
        .enter_ns = call.enter_ns,
        .place = key.stack_pointer,
        .stack = call.stack,
    };
    search_peer(&search, pid_tgid);
    return 0;
}

/*
 * Of a call it is known that bytes were carried, and not how many: no position of the stream after
 * it would be right. The object's next call begins another connection, as if it was used again.
 */
static __always_inline void lose_track(const struct call *call, u64 pid_tgid, u32 reason,
                                       u64 bytes) {
    struct connection_key key = {
        .object = call->object,
        .pid = pid_tgid >> 32,
    };
    count(reason, bytes);
    lose_bytes(call->object, call->direction, 0, reason);
    bpf_map_delete_elem(&connections, &key);
}

/* Bytes that the returned call carried; 0 when it carried none. */
static __always_inline u64 carried_bytes(const struct call *call, u64 returned) {
    s64 result = call->is_wide ? (s64)returned : (s32)returned;
    if (result <= 0)
        return 0;
    if (!call->count_address)
        return result;
    u64 bytes = 0;
    if (bpf_probe_read_user(&bytes, sizeof(bytes), (void *)call->count_address)) {
        lose_track(call, bpf_get_current_pid_tgid(), SL_DROP_FAULT, 0);
        return 0;
    }
    return bytes;
}

/*
 * Whether `call` is made of another probed one on the same object (SSL_read_ex of SSL_read), which
 * has carried these bytes already: that one began after it, on the same thread.
 */
static __always_inline bool is_wrapper(const struct call *call, struct connection *connection,
                                       u64 direction, u32 tid) {
    if (connection->last_enter_ns[direction] > call->enter_ns &&
        connection->last_tid[direction] == tid)
        return true;
    connection->last_enter_ns[direction] = call->enter_ns;
    connection->last_tid[direction] = tid;
    return false;
}

/* What a call is to the one that keeps its connection's sends quiet. */
enum {
    NOT_QUIET = 0,
    /* A send within it, which was counted before. */
    WITHIN_QUIET = 1,
    /* The thread has left that one without returning from it (a longjmp, or its entry gave way): it
     * reads, and not within, or that is too long ago. What it has sent since was not counted. */
    AFTER_QUIET = 2,
};

/* A function of its own for all calls, so that what comes behind it is verified once. */
__noinline int quiet_state(u64 other_tid, u64 direction, u64 place, u64 quiet_place,
                           u64 passed_ns) {
    if (other_tid)
        return NOT_QUIET;
    if (passed_ns > QUIET_MAX_NS)
        return AFTER_QUIET;
    if (direction == SL_DIRECTION_WRITE)
        return WITHIN_QUIET;
    return place < quiet_place && has_probed_frame(quiet_place) ? NOT_QUIET : AFTER_QUIET;
}

/*
 * Hands over what a call has carried; `may_wrap` where a library makes probed functions of others,
 * and then `place` is the stack pointer at its entry.
 */
static __always_inline void finish_call(const struct call *call, u64 pid_tgid, u64 carried,
                                        const bool may_wrap, u64 place) {
    u64 bytes = forget_bounds(carried, call->enter_ns);
    if (bytes == 0) {
        end_open_call(call->object, call->direction, call->enter_ns, pid_tgid);
        return;
    }
    /* Without a buffer (see gnutls.h) there is no size to hold against it, and nothing to copy. */
    if (bytes > call->capacity && call->buffer) {
        lose_track(call, pid_tgid, SL_DROP_BAD_LENGTH, 0);
        return;
    }
    u32 pid = pid_tgid >> 32;
    u32 tid = pid_tgid;
    u64 direction = call->direction & 1;
    struct connection_key key = {
        .object = call->object,
        .pid = pid,
    };
    struct connection *connection = connection_of(&key, call->enter_ns, call->stack);
    if (!connection) {
        count(SL_DROP_TABLE, bytes);
        return;
    }
    close_call(connection, call->direction, call->enter_ns, pid_tgid);
    if (may_wrap) {
        int quiet = quiet_state(connection->quiet_tid ^ tid, direction, place,
                                connection->quiet_place, call->enter_ns - connection->quiet_ns);
        if (quiet == AFTER_QUIET)
            lose_track(call, pid_tgid, SL_DROP_ORPHAN, bytes);
        if (quiet != NOT_QUIET)
            return;
    }
    if (may_wrap && is_wrapper(call, connection, direction, tid))
        return;
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
        .stack = connection->stack,
    };
    bool is_skipped = skip_call(&key, connection, &transfer);
    connection->position[direction] = transfer.position + bytes;
    if (!is_skipped)
        emit_transfer(&transfer, connection);
    /* Last, because the verifier follows every branch through all that comes behind it. A
     * goroutine's write always reaches its socket, if it has one. */
    if (may_wrap && !connection->socket_cookie && direction == SL_DIRECTION_WRITE)
        note_unsent(&key, pid_tgid, bytes);
}

/*
 * At the return of a function that was entered by enter_call, with the stack pointer that it had at
 * its entry: takes its call out. False when there is none, or none whose bytes were not handed over
 * yet.
 */
static __always_inline bool take_call_of(struct pt_regs *ctx, u64 pid_tgid, u64 stack_pointer,
                                         const bool is_always_entered, struct call *call) {
    struct call_key key = {
        .pid_tgid = pid_tgid,
        .stack_pointer = stack_pointer,
    };
    struct call *entry = bpf_map_lookup_elem(&calls, &key);
    if (!entry) {
        /* Only here, because what was kept at the entry was of a process that is seen. */
        if (is_always_entered && (s32)PT_REGS_RC(ctx) > 0 && is_seen(pid_tgid >> 32)) {
            count(SL_DROP_ORPHAN, 0);
            note_orphan(key.pid_tgid, key.stack_pointer, PT_REGS_RC(ctx));
        }
        return false;
    }
    /* A copy, because the entry may be given to another call as soon as it is deleted. */
    *call = *entry;
    if (call->sharing) {
        entry->sharing = call->sharing - 1;
        entry->is_finished = 1;
    } else {
        bpf_map_delete_elem(&calls, &key);
    }
    return !call->is_finished;
}

/* Where it has returned to. */
static __always_inline bool take_call(struct pt_regs *ctx, u64 pid_tgid,
                                      const bool is_always_entered, struct call *call) {
    return take_call_of(ctx, pid_tgid, PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES, is_always_entered,
                        call);
}

/* The return of a function of which the entry has kept all that differs. */
static __always_inline int exit_call_of(struct pt_regs *ctx, u64 stack_pointer,
                                        const bool is_always_entered) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct call call;
    if (!take_call_of(ctx, pid_tgid, stack_pointer, is_always_entered, &call))
        return 0;
    u64 bytes = carried_bytes(&call, PT_REGS_RC(ctx));
    /* Here and not in a program of its own, each of which takes the kernel half a second to verify.
     */
    if (call.is_packet) {
        call.buffer = gnutls_packet_data(call.buffer, bytes);
        call.capacity = bytes;
    }
    finish_call(&call, pid_tgid, bytes, true, stack_pointer);
    return 0;
}

static __always_inline int exit_call(struct pt_regs *ctx, const bool is_always_entered) {
    return exit_call_of(ctx, PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES, is_always_entered);
}

SEC("uretprobe/call_exit")
int call_exit(struct pt_regs *ctx) {
    return exit_call(ctx, true);
}

/* At a return instruction, where that is probed and not the return. */
SEC("uprobe/call_return")
int call_return(struct pt_regs *ctx) {
    return exit_call_of(ctx, PT_REGS_SP(ctx), true);
}
