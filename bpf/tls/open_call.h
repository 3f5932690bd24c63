/*
 * Marks the connection of a call whose bytes nobody has seen. A connection knows its newest call in
 * each direction of which no return was seen. When it is met again, such a call
 *
 * - goes on: its entry is there (another thread's, or around the call that begins now: a callback
 *   may use the object within a call on it, in either direction);
 * - was left without a return: its entry is there, and its frame is gone or another call's, or the
 *   program ends. What it has carried is not known;
 * - had its entry give way to others', and has returned with bytes since (maps/orphans.h).
 *
 * Functions of their own, given numbers alone, so that they are verified once.
 */
#pragma once

#include "../kernel/frame.h"
#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../maps/calls.h"
#include "../maps/goroutine_calls.h"
#include "../maps/orphans.h"
#include "../maps/verdicts.h"
#include "connection.h"
#include "skip.h"
#include "stream.h"

/* For a place: outside of every call of the thread. */
#define NO_PLACE 0
/* The process ends, or another program begins in it, and with that every call. */
#define PROGRAM_ENDS (~0ULL)

static __always_inline void report_open(const struct connection_key *key,
                                        struct connection *connection, u64 direction, u64 bytes,
                                        u8 reason) {
    struct transfer transfer = {
        .time_ns = bpf_ktime_get_boot_ns(),
        .process = {.start_ns = connection->process_start_ns,
                    .pid = key->pid,
                    .tid = bpf_get_current_pid_tgid()},
        .object = key->object,
        .generation = connection->generation,
        .bytes = bytes,
        .position = connection->position[direction & 1],
        .direction = direction & 1,
        .stack = connection->stack,
    };
    transfer.enter_ns = transfer.time_ns;
    report_skip(&transfer, connection, direction);
    /* Nobody has seen the frames in it. */
    connection->follows_frames[direction & 1] = 0;
    if (bytes) {
        note_loss(&transfer, connection, 0, bytes);
        report_loss(&transfer, connection, reason);
        connection->position[direction & 1] += bytes;
        return;
    }
    /* Nothing that counts positions holds from here on. */
    bpf_map_delete_elem(&verdicts, key);
    if (report_loss(&transfer, connection, SL_DROP_RING_FULL) &&
        report_unknown_loss(&transfer, connection, reason))
        return;
    /* Not even that could be told: what follows is another connection, so nothing is joined. */
    count(SL_DROP_CONTROL, 0);
    bpf_map_delete_elem(&connections, key);
}

/* In the direction's stream of a connection `bytes` are missing, or an unknown number when that is
 * 0. */
__noinline int lose_bytes(u64 object, u64 direction, u64 bytes, u64 reason) {
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection)
        report_open(&key, connection, direction & 1, bytes, reason);
    return 0;
}

/* A call that another one has replaced in its place was left without a return. */
__noinline int lose_call(u64 object, u64 direction, u64 enter_ns) {
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    direction &= 1;
    if (!connection || connection->open_calls[direction].enter_ns != enter_ns)
        return 0;
    connection->open_calls[direction].enter_ns = 0;
    count(SL_DROP_ORPHAN, 0);
    report_open(&key, connection, direction, 0, SL_DROP_ORPHAN);
    return 0;
}

/* The entry of the call, or null when that has given way. */
static __always_inline const struct call *kept_call(const struct open_call *open, u32 pid,
                                                    u64 stack) {
    if (stack == SL_STACK_GO) {
        struct goroutine_call_key key = {
            .goroutine = open->owner, .depth = open->place, .pid = pid};
        struct goroutine_call *entry = bpf_map_lookup_elem(&goroutine_calls, &key);
        return entry && entry->call.enter_ns == open->enter_ns ? &entry->call : NULL;
    }
    struct call_key key = {.pid_tgid = open->owner, .stack_pointer = open->place};
    struct call *entry = bpf_map_lookup_elem(&calls, &key);
    return entry && entry->enter_ns == open->enter_ns && !entry->is_finished ? entry : NULL;
}

/*
 * Whether the call that is kept goes on, now that `owner` has a call at `place`: that one is within
 * it, or another thread's. Goroutines count places from the other end.
 */
static __always_inline bool goes_on(const struct call *kept, const struct open_call *open,
                                    u64 stack, u64 owner, u64 place) {
    if (place == PROGRAM_ENDS)
        return false;
    if (stack == SL_STACK_GO)
        return owner != open->owner || place == NO_PLACE || place >= open->place;
    if (place == NO_PLACE)
        return false;
    if (owner != open->owner)
        return true;
    return place < open->place && (kept->ends_elsewhere || has_probed_frame(open->place));
}

/* Bytes that the open call has returned; 0 when it does not return their number. */
static __always_inline u64 returned_bytes(const struct open_call *open, u64 returned) {
    switch (open->result) {
    case OPEN_CALL_RETURNS_INT:
        return (u32)returned;
    case OPEN_CALL_RETURNS_WIDE:
        return returned;
    default:
        return 0;
    }
}

/*
 * What became of the connection's open call in one direction, now that `owner` has a call at
 * `place`, or frees the object (NO_PLACE), or the program ends (PROGRAM_ENDS).
 */
__noinline int settle_call(u64 object, u64 direction, u64 owner, u64 place) {
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    direction &= 1;
    if (!connection || !connection->open_calls[direction].enter_ns)
        return 0;
    struct open_call open = connection->open_calls[direction];
    struct task_struct *task = current_task();
    bool ends = place == PROGRAM_ENDS;
    /* Of an earlier process or program: nobody waits for what it has lost. A program that ends with
     * another one's beginning is the earlier one by then. */
    if (connection->process_start_ns != process_start_of(task) ||
        (!ends && connection->exec_id != BPF_CORE_READ(task, self_exec_id)))
        return 0;
    const struct call *kept = kept_call(&open, key.pid, connection->stack);
    u64 bytes = 0;
    bool has_returned = false;
    if (kept) {
        if (goes_on(kept, &open, connection->stack, owner, place))
            return 0;
    } else {
        struct orphan_key orphan_key = {.owner = open.owner, .place = open.place, .pid = key.pid};
        struct orphan *orphan = bpf_map_lookup_elem(&orphans, &orphan_key);
        has_returned = orphan && orphan->time_ns >= open.enter_ns;
        /* Of NSS it cannot be told whether what returned was a call of TLS. */
        if (!has_returned && !ends && connection->stack != SL_STACK_NSS)
            return 0;
        if (has_returned) {
            bytes = returned_bytes(&open, orphan->returned);
            bpf_map_delete_elem(&orphans, &orphan_key);
        }
    }
    connection->open_calls[direction].enter_ns = 0;
    /* Its return was counted. */
    if (!has_returned)
        count(SL_DROP_ORPHAN, 0);
    report_open(&key, connection, direction, bytes, SL_DROP_ORPHAN);
    return 0;
}

static __always_inline void settle_calls(const struct connection *connection, u64 object, u64 owner,
                                         u64 read_place, u64 write_place) {
    if (connection->open_calls[SL_DIRECTION_READ].enter_ns)
        settle_call(object, SL_DIRECTION_READ, owner, read_place);
    if (connection->open_calls[SL_DIRECTION_WRITE].enter_ns)
        settle_call(object, SL_DIRECTION_WRITE, owner, write_place);
}

/*
 * Notes the call that begins at its connection, which begins with its first one. `shape` is what
 * open_call_shape has made of the call.
 */
__noinline int note_call(u64 object, u64 enter_ns, u64 owner, u64 place, u64 shape) {
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = connection_of(&key, enter_ns, shape >> 16);
    u64 direction = shape & 1;
    if (!connection)
        return 0;
    struct open_call open = {
        .enter_ns = enter_ns,
        .owner = owner,
        .place = place,
        .result = shape >> 8 & 0xff,
    };
    connection->open_calls[direction] = open;
    return 0;
}

static __always_inline u64 open_call_shape(const struct call *call) {
    u64 result = call->count_address ? OPEN_CALL_RETURNS_NO_NUMBER
                 : call->is_wide     ? OPEN_CALL_RETURNS_WIDE
                                     : OPEN_CALL_RETURNS_INT;
    return (call->direction & 1) | result << 8 | (u64)call->stack << 16;
}

static __always_inline bool has_open_calls(const struct connection *connection) {
    return connection->open_calls[SL_DIRECTION_READ].enter_ns ||
           connection->open_calls[SL_DIRECTION_WRITE].enter_ns;
}

/*
 * At the entry of a call. A goroutine's place is its depth. `is_new`: not the rest of one. Returns
 * whether the connection's socket is known; mostly one look-up is all that is needed.
 */
static __always_inline bool open_call(const struct call *call, u64 owner, u64 place, bool is_new) {
    struct connection_key key = {
        .object = call->object,
        .pid = bpf_get_current_pid_tgid() >> 32,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection && !has_open_calls(connection)) {
        struct open_call *open = &connection->open_calls[call->direction & 1];
        open->enter_ns = call->enter_ns;
        open->owner = owner;
        open->place = place;
        open->result = open_call_shape(call) >> 8 & 0xff;
        return connection->socket_cookie;
    }
    if (connection && is_new) {
        /* Of a goroutine the same place is the same function that has begun again, or the other
         * one, and that has left the first. */
        u64 other = call->stack == SL_STACK_GO ? place - 1 : place;
        bool is_read = call->direction == SL_DIRECTION_READ;
        settle_calls(connection, call->object, owner, is_read ? place : other,
                     is_read ? other : place);
    }
    note_call(call->object, call->enter_ns, owner, place, open_call_shape(call));
    return false;
}

/* At the return of one: the calls that it is made of are over, too. */
static __always_inline void close_call(struct connection *connection, u64 direction, u64 enter_ns,
                                       u64 owner) {
    struct open_call *open = &connection->open_calls[direction & 1];
    if (open->enter_ns == enter_ns || (open->enter_ns > enter_ns && open->owner == owner))
        open->enter_ns = 0;
}

/* The same of a call that has carried nothing. */
__noinline int end_open_call(u64 object, u64 direction, u64 enter_ns, u64 owner) {
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection)
        close_call(connection, direction, enter_ns, owner);
    return 0;
}

/* A call has returned with bytes, and its entry has given way. */
static __always_inline void note_orphan(u64 owner, u64 place, u64 returned) {
    struct orphan_key key = {
        .owner = owner,
        .place = place,
        .pid = bpf_get_current_pid_tgid() >> 32,
    };
    struct orphan orphan = {.time_ns = bpf_ktime_get_boot_ns(), .returned = returned};
    bpf_map_update_elem(&orphans, &key, &orphan, BPF_ANY);
}
