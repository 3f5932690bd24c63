/*
 * Bytes that user space has judged not worth copying. They are summed up for each direction, and
 * reported before anything else of the connection is, so that nobody takes them for lost.
 */
#pragma once

#include "../maps/verdicts.h"
#include "http2_frames.h"
#include "stream.h"

/* A long skip is reported in parts, so that a connection that is busy is not taken for idle, and
 * one that is very busy is known soon. */
#define SKIP_REPORT_NS 250000000ULL

/* Reports what was skipped of one direction. Without room for that it becomes a loss. */
static __noinline void report_skip(const struct transfer *call, struct connection *connection,
                                   u64 direction) {
    direction &= 1;
    u64 bytes = connection->skipped_bytes[direction];
    if (bytes == 0)
        return;
    struct transfer skipped = *call;
    skipped.direction = direction;
    skipped.time_ns = connection->skipped_ns[direction];
    skipped.enter_ns = skipped.time_ns;
    skipped.bytes = bytes;
    skipped.position = connection->skipped_position[direction];
    connection->skipped_bytes[direction] = 0;

    u64 pending = pending_bytes();
    struct sl_stream_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        lose(&skipped, connection, 0, bytes, SL_DROP_RING_FULL);
        return;
    }
    record->header = record_header(SL_RECORD_SKIP, sizeof(*record));
    describe_stream(record, &skipped, connection->sequence[direction], 0);
    record->bytes = bytes;
    record->reason = SL_DROP_NONE;
    record->call_offset = connection->skipped_count[direction];
    if (connection->skipped_stream[direction]) {
        record->frame_stream = connection->skipped_stream[direction];
        record->call_bytes = connection->skipped_next_at[direction] - (skipped.position + bytes);
    }
    submit(record, sizeof(*record), pending);
}

static __always_inline bool is_unwanted(const struct sl_verdict *verdict,
                                        const struct connection *connection, u64 direction,
                                        u64 bytes) {
    direction &= 1;
    if (verdict->generation != connection->generation)
        return false;
    if (connection->position[direction] + bytes > verdict->until[direction])
        return false;
    return verdict->while_other_at[direction] == SL_ANY_POSITION ||
           verdict->while_other_at[direction] == connection->position[direction ^ 1];
}

/* Whether the call, whose bytes are not counted in the position yet, is not to be copied. */
static __always_inline bool skip_call(const struct connection_key *key,
                                      struct connection *connection, const struct transfer *call) {
    u64 direction = call->direction & 1;
    const struct sl_verdict *verdict = bpf_map_lookup_elem(&verdicts, key);
    bool unwanted = verdict && is_unwanted(verdict, connection, direction, call->bytes);
    u32 stream = verdict ? verdict->stream[direction] : 0;
    int headers = -1;

    find_preface(connection, call);
    if (connection->follows_frames[direction])
        headers = follow_frames(key->object, (u64)key->pid << 1 | direction, call->buffer,
                                call->bytes, stream);
    if (stream && headers < 0)
        unwanted = false;
    /* A loss that could not be reported yet comes first. */
    if (unwanted && !report_loss(call, connection, SL_DROP_RING_FULL))
        unwanted = false;
    if (!unwanted) {
        report_skip(call, connection, SL_DIRECTION_READ);
        report_skip(call, connection, SL_DIRECTION_WRITE);
        return false;
    }
    if (connection->skipped_stream[direction] != stream)
        report_skip(call, connection, direction);
    if (connection->skipped_bytes[direction] == 0) {
        connection->skipped_position[direction] = call->position;
        connection->skipped_since_ns[direction] = call->enter_ns;
        connection->skipped_stream[direction] = stream;
        connection->skipped_count[direction] = 0;
    }
    connection->skipped_bytes[direction] += call->bytes;
    connection->skipped_ns[direction] = call->time_ns;
    connection->skipped_next_at[direction] = connection->frame_at[direction];
    connection->skipped_count[direction] += stream ? headers : 1;
    /* At its end the message is over, and a message's end has a time. */
    if (call->position + call->bytes == verdict->until[direction] ||
        call->time_ns - connection->skipped_since_ns[direction] > SKIP_REPORT_NS)
        report_skip(call, connection, direction);
    return true;
}
