/* Connections in use, by process and address of the TLS object. Least recently used ones give way.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct connection_key {
    u64 object;
    u32 pid;
    u32 pad;
};

/* How a call tells how many bytes it has carried. */
enum {
    OPEN_CALL_RETURNS_NO_NUMBER = 0,
    OPEN_CALL_RETURNS_INT = 1,
    OPEN_CALL_RETURNS_WIDE = 2,
};

/* A call of which no return was seen yet (tls/open_call.h); none when `enter_ns` is 0. */
struct open_call {
    u64 enter_ns;
    /* By which it is kept: as in struct orphan_key. */
    u64 owner;
    u64 place;
    u64 result;
};

/* Arrays are indexed by enum sl_direction. */
struct connection {
    u64 process_start_ns;
    /* Differs after an exec, which gives the addresses of the old program to the new one. */
    u64 exec_id;
    u64 generation;
    /* Bytes the stream has had so far, handed over or not. */
    u64 position[2];
    u64 sequence[2];
    /* A lost part of the stream that is not reported yet, because even that found no room. */
    u64 lost_position[2];
    u64 lost_bytes[2];
    /* A part that was not copied by a verdict and is not reported yet: with the time of its first
     * and of its newest call. */
    u64 skipped_position[2];
    u64 skipped_bytes[2];
    u64 skipped_since_ns[2];
    u64 skipped_ns[2];
    /* Calls in it; of HTTP/2 content its stream, the frame headers in it instead of the calls, and
     * where the next one is. */
    u64 skipped_next_at[2];
    u32 skipped_stream[2];
    u32 skipped_count[2];
    /* HTTP/2: where the next frame header is, as many bytes of it as there are, and the stream of
     * the frame under way if that is content and nothing else. */
    u64 frame_at[2];
    u8 frame_part[2][8];
    u32 frame_stream[2];
    u32 follows_frames[2];
    /* Entry time and thread of the newest call that carried bytes. */
    u64 last_enter_ns[2];
    u32 last_tid[2];
    struct open_call open_calls[2];
    /* Thread that hands over what was counted before (gnutls_record_uncork); 0 when none does. */
    u64 quiet_tid;
    /* Since when, and the stack pointer at its entry. */
    u64 quiet_ns;
    u64 quiet_place;
    /* enum sl_stack. */
    u64 stack;
    /* Of the socket that carries it, once that was reported; 0 until then. */
    u64 socket_cookie;
    /* First call of a handshake function. */
    u64 handshake_ns;
    u32 handshake_state;
    /* Why it fails, as the library says it; 0 while it does not. */
    u32 handshake_code;
    /* enum sl_side. */
    u64 handshake_side;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct connection_key);
    __type(value, struct connection);
} connections SEC(".maps");

/* Where a thread puts a new connection together, which is too large for its stack beside the rest.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, u64);
    __type(value, struct connection);
} new_connections SEC(".maps");

const volatile struct connection blank_connection SEC(".rodata.blank") = {};
