/*
 * Go's crypto/tls. https://pkg.go.dev/crypto/tls#Conn
 *
 * - func (c *Conn) Read(b []byte) (int, error), Write: bytes when the int is above 0.
 * - func (c *Conn) Close() error
 *
 * The returns are probed as instructions, never through a changed return address, which the
 * runtime would find when it walks or moves a stack. For both functions, because only the return
 * knows how much a write has taken, and because a function whose stack is too small begins twice.
 */
#pragma once

#include "../kernel/go_registers.h"
#include "../kernel/place.h"
#include "../maps/goroutine_calls.h"
#include "call.h"
#include "close.h"

/* `stack_bytes`: how far the stack pointer is below its value at the function's entry. */
static __always_inline bool find_frame(struct pt_regs *ctx, u64 pid_tgid, const bool has_registers,
                                       u64 stack_bytes, struct goroutine_call_key *key,
                                       struct go_stack *stack) {
    u64 goroutine = goroutine_of(ctx, has_registers);
    if (bpf_probe_read_user(stack, sizeof(*stack), (void *)goroutine))
        return false;
    key->goroutine = goroutine;
    key->depth = stack->high - (PT_REGS_SP(ctx) + stack_bytes);
    key->pid = pid_tgid >> 32;
    key->pad = 0;
    return true;
}

static __always_inline int go_enter(struct pt_regs *ctx, u32 direction, const bool has_registers) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct goroutine_call_key key;
    struct go_stack stack;
    if (!find_frame(ctx, pid_tgid, has_registers, 0, &key, &stack)) {
        count(SL_DROP_FAULT, 0);
        return 0;
    }
    struct goroutine_call value = {
        .call =
            {
                .enter_ns = bpf_ktime_get_boot_ns(),
                .object = has_registers ? GO_ARGUMENT_1(ctx) : go_stack_word(ctx, 0),
                .buffer = has_registers ? GO_ARGUMENT_2(ctx) : go_stack_word(ctx, 1),
                .capacity = has_registers ? GO_ARGUMENT_3(ctx) : go_stack_word(ctx, 2),
                .direction = direction,
                .stack = SL_STACK_GO,
                .is_wide = true,
            },
    };
    if (value.call.buffer >= stack.low && value.call.buffer < stack.high)
        value.buffer_depth = stack.high - value.call.buffer;
    /* A goroutine that has recovered from a panic may have another connection in the same place. */
    struct goroutine_call *present = bpf_map_lookup_elem(&goroutine_calls, &key);
    if (present && present->call.object != value.call.object)
        lose_call(present->call.object, present->call.direction, present->call.enter_ns);
    bool has_peer = open_call(&value.call, key.goroutine, key.depth, true);
    if (bpf_map_update_elem(&goroutine_calls, &key, &value, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    if (has_peer)
        return 0;
    struct peer_search search = {
        .connection = {.object = value.call.object, .pid = key.pid},
        .enter_ns = value.call.enter_ns,
        .place = key.goroutine,
        .depth = key.depth,
        .stack = SL_STACK_GO,
    };
    search_peer(&search, pid_tgid);
    return 0;
}

/* Before 1.17 the result is on the stack behind the connection and the three words of the slice. */
#define GO_STACK_RESULT 4

static __always_inline int go_finish(struct pt_regs *ctx, const bool has_registers, u64 returned,
                                     u64 stack_bytes) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct goroutine_call_key key;
    struct go_stack stack;
    if (!find_frame(ctx, pid_tgid, has_registers, stack_bytes, &key, &stack)) {
        count(SL_DROP_FAULT, 0);
        return 0;
    }
    struct goroutine_call *entry = bpf_map_lookup_elem(&goroutine_calls, &key);
    if (!entry) {
        if ((s64)returned > 0) {
            count(SL_DROP_ORPHAN, returned);
            note_orphan(key.goroutine, key.depth, returned);
        }
        return 0;
    }
    struct goroutine_call value = *entry;
    bpf_map_delete_elem(&goroutine_calls, &key);
    /* The stack may have been moved since. */
    if (value.buffer_depth)
        value.call.buffer = stack.high - value.buffer_depth;
    finish_call(&value.call, pid_tgid, carried_bytes(&value.call, returned), false, NO_PLACE);
    return 0;
}

static __always_inline int go_exit(struct pt_regs *ctx, const bool has_registers) {
    if (!is_seen(bpf_get_current_pid_tgid() >> 32))
        return 0;
    u64 returned = has_registers ? GO_RESULT(ctx) : go_stack_word(ctx, GO_STACK_RESULT);
    return go_finish(ctx, has_registers, returned, 0);
}

SEC("uprobe/go_read_enter")
int go_read_enter(struct pt_regs *ctx) {
    return go_enter(ctx, SL_DIRECTION_READ, true);
}

SEC("uprobe/go_write_enter")
int go_write_enter(struct pt_regs *ctx) {
    return go_enter(ctx, SL_DIRECTION_WRITE, true);
}

SEC("uprobe/go_return")
int go_return(struct pt_regs *ctx) {
    return go_exit(ctx, true);
}

/* Before the return, where the result is known at an instruction that is emulated. */
SEC("uprobe/go_result")
int go_result(struct pt_regs *ctx) {
    if (!is_seen(bpf_get_current_pid_tgid() >> 32))
        return 0;
    u64 place = bpf_get_attach_cookie(ctx);
    u64 returned = place_operand(ctx, place, 0) + place_operand(ctx, place, 1);
    return go_finish(ctx, true, returned, place_stack_bytes(place));
}

SEC("uprobe/go_close_enter")
int go_close_enter(struct pt_regs *ctx) {
    return close_connection(GO_ARGUMENT_1(ctx));
}

SEC("uprobe/go_stack_read_enter")
int go_stack_read_enter(struct pt_regs *ctx) {
    return go_enter(ctx, SL_DIRECTION_READ, false);
}

SEC("uprobe/go_stack_write_enter")
int go_stack_write_enter(struct pt_regs *ctx) {
    return go_enter(ctx, SL_DIRECTION_WRITE, false);
}

SEC("uprobe/go_stack_return")
int go_stack_return(struct pt_regs *ctx) {
    return go_exit(ctx, false);
}

SEC("uprobe/go_stack_close_enter")
int go_stack_close_enter(struct pt_regs *ctx) {
    return close_connection(go_stack_word(ctx, 0));
}
