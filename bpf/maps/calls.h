/*
 * TLS calls that have begun and not returned. The key holds the frame's stack pointer beside the
 * thread, because TLS inside TLS has one call of a thread inside another. Least recently used
 * entries give way: a thread that is killed in a call, or leaves it by an exception, never clears
 * its own. What is lost with one is marked at its connection (tls/open_call.h).
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct call_key {
    u64 pid_tgid;
    u64 stack_pointer;
};

struct call {
    u64 enter_ns;
    /* Address of the instruction that is probed: of which function it is a call. */
    u64 function;
    u64 object;
    u64 buffer;
    /* Size of the buffer. */
    u64 capacity;
    /* Where the function stores the number of bytes; 0 when it returns it. */
    u64 count_address;
    /* enum sl_direction. */
    u32 direction;
    /* enum sl_stack. */
    u32 stack;
    /* The result is as wide as a register, not an int. */
    u32 is_wide;
    /* The buffer is where the address of a packet is stored (gnutls_record_recv_packet). */
    u32 is_packet;
    /* Its end may be seen elsewhere than at its return: no frame tells of it (kernel/frame.h). */
    u32 ends_elsewhere;
    u32 pad;
    /*
     * Probed functions that share the frame beside the first: one that ends by jumping to another
     * (gnutls_record_send to gnutls_record_send2) leaves it its frame, and returns with it.
     */
    u32 sharing;
    /* The call has returned for one of these, and was handed over. */
    u32 is_finished;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct call_key);
    __type(value, struct call);
} calls SEC(".maps");
