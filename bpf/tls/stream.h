/* Turns the plaintext of one TLS call into data and loss records. */
#pragma once

#include "../kernel/bounds.h"
#include "../ring/submit.h"
#include "connection.h"

/*
 * Room is reserved in constant sizes, which is what kernels before dynptr (5.19) can verify. A
 * class is used from a good half of it on, so at most about half of a large reservation is empty.
 */
#define CLASS_512 512
#define CLASS_2K 2048
#define CLASS_4K 4096
#define CLASS_16K 16384
#define CLASS_64K SL_CHUNK_MAX

/*
 * SL_CALL_MAX in whole chunks, and the at most six smaller ones that the last may fall into. On a
 * ring that is too small for the largest class a call of more than about a megabyte does not fit,
 * and loses its end.
 */
#define CHUNKS_MAX (SL_CALL_MAX / SL_CHUNK_MAX + 8)

/* One call that carried bytes, beside its connection. */
struct transfer {
    u64 time_ns;
    u64 enter_ns;
    struct sl_process process;
    u64 object;
    u64 generation;
    u64 buffer;
    u64 bytes;
    u64 position;
    u64 direction;
    u64 stack;
};

/*
 * By pid and thread: the call of which more than one chunk is copied. Least recently used entries
 * give way, whose calls lose what is left of them.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, u64);
    __type(value, struct transfer);
} long_transfers SEC(".maps");

static __always_inline void describe_stream(struct sl_stream_record *record,
                                            const struct transfer *transfer, u64 sequence,
                                            u64 offset) {
    record->time_ns = transfer->time_ns;
    record->enter_ns = transfer->enter_ns;
    record->process = transfer->process;
    record->object = transfer->object;
    record->generation = transfer->generation;
    record->position = transfer->position + offset;
    record->sequence = sequence;
    record->call_bytes = transfer->bytes;
    record->call_offset = offset;
    record->direction = transfer->direction;
    record->stack = transfer->stack;
    record->pad = 0;
    record->frame_stream = 0;
}

/*
 * Reports the part of the stream that the connection notes as lost, from the room kept for control
 * records. Without room the note stays, and grows with what is lost next: until it is gone nothing
 * later of the stream is handed over, so the lost part is always one piece. Returns whether nothing
 * is left to report.
 */
static __always_inline bool report_loss(const struct transfer *transfer,
                                        struct connection *connection, u8 reason) {
    u64 direction = transfer->direction & 1;
    u64 bytes = connection->lost_bytes[direction];
    if (bytes == 0)
        return true;
    u64 pending = pending_bytes();
    struct sl_stream_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record)
        return false;
    record->header = record_header(SL_RECORD_LOSS, sizeof(*record));
    describe_stream(record, transfer, connection->sequence[direction], 0);
    record->position = connection->lost_position[direction];
    record->bytes = bytes;
    record->reason = reason;
    connection->lost_bytes[direction] = 0;
    submit(record, sizeof(*record), pending);
    return true;
}

static __always_inline void note_loss(const struct transfer *transfer,
                                      struct connection *connection, u64 offset, u64 bytes) {
    u64 direction = transfer->direction & 1;
    if (connection->lost_bytes[direction] == 0)
        connection->lost_position[direction] = transfer->position + offset;
    connection->lost_bytes[direction] += bytes;
}

static __always_inline void lose(const struct transfer *transfer, struct connection *connection,
                                 u64 offset, u64 bytes, u8 reason) {
    count(reason, bytes);
    note_loss(transfer, connection, offset, bytes);
    report_loss(transfer, connection, reason);
}

/* The same of bytes whose number is not known: 0 stands for it. Returns whether it was reported. */
static __always_inline bool report_unknown_loss(const struct transfer *transfer,
                                                struct connection *connection, u8 reason) {
    u64 pending = pending_bytes();
    struct sl_stream_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record)
        return false;
    record->header = record_header(SL_RECORD_LOSS, sizeof(*record));
    describe_stream(record, transfer, connection->sequence[transfer->direction & 1], 0);
    record->bytes = 0;
    record->reason = reason;
    submit(record, sizeof(*record), pending);
    return true;
}

/*
 * Copies up to `class_bytes` bytes at `address`, which are `offset` bytes into the call, into a
 * record of that class. Returns how many bytes of the stream it dealt with; 0 when there was no
 * room. Bytes that cannot be read become a loss record in the same room.
 */
static __always_inline u64 emit_class(const struct transfer *transfer, u64 sequence, u64 address,
                                      u64 offset, u64 remaining, const u64 class_bytes) {
    const u64 room = sizeof(struct sl_stream_record) + class_bytes;
    u64 pending = pending_bytes();
    if (!has_room_for_data(pending, room))
        return 0;
    struct sl_stream_record *record = bpf_ringbuf_reserve(&records, room, 0);
    if (!record)
        return 0;

    u64 bytes = at_most(remaining, class_bytes);
    long error = bpf_probe_read_user(record + 1, bytes, (void *)address);
    describe_stream(record, transfer, sequence, offset);
    record->bytes = bytes;
    u64 size = sizeof(*record);
    if (error) {
        count(SL_DROP_FAULT, bytes);
        record->reason = SL_DROP_FAULT;
        record->header = record_header(SL_RECORD_LOSS, size);
    } else {
        size += bytes;
        record->reason = SL_DROP_NONE;
        record->header = record_header(SL_RECORD_DATA, size);
    }
    submit(record, size, pending + (room - size));
    return bytes;
}

/* The same in the class that fits best, as the stream's next record. */
static __always_inline u64 emit_chunk(const struct transfer *transfer,
                                      struct connection *connection, u64 address, u64 offset,
                                      u64 remaining) {
    u64 direction = transfer->direction & 1;
    u64 sequence = connection->sequence[direction];
    u64 done;
    connection->sequence[direction] = sequence + 1;
    if (remaining > 32 * 1024 && config.data_limit_bytes >= 4 * CLASS_64K)
        done = emit_class(transfer, sequence, address, offset, remaining, CLASS_64K);
    else if (remaining > 6 * 1024)
        done = emit_class(transfer, sequence, address, offset, remaining, CLASS_16K);
    else if (remaining > CLASS_2K)
        done = emit_class(transfer, sequence, address, offset, remaining, CLASS_4K);
    else if (remaining > CLASS_512)
        done = emit_class(transfer, sequence, address, offset, remaining, CLASS_2K);
    else
        done = emit_class(transfer, sequence, address, offset, remaining, CLASS_512);
    return forget_bounds(done, transfer->time_ns);
}

/* The call whose chunks after the first one emit_next_chunk copies. */
static __always_inline void begin_long_transfer(const struct transfer *transfer) {
    u64 thread = bpf_get_current_pid_tgid();
    bpf_map_update_elem(&long_transfers, &thread, transfer, BPF_ANY);
}

static __always_inline void end_long_transfer(void) {
    u64 thread = bpf_get_current_pid_tgid();
    bpf_map_delete_elem(&long_transfers, &thread);
}

/*
 * emit_chunk for the call that the thread has begun as a long one. Global, and given numbers alone,
 * so that the verifier looks at it once and not for each turn of a loop: with 72 of these that took
 * half a second a program. The first chunk of a call, mostly its only one, does without.
 */
__noinline int emit_next_chunk(u64 address, u64 offset, u64 remaining) {
    u64 thread = bpf_get_current_pid_tgid();
    struct transfer *transfer = bpf_map_lookup_elem(&long_transfers, &thread);
    if (!transfer)
        return 0;
    struct connection_key key = {
        .object = transfer->object,
        .pid = thread >> 32,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return 0;
    return emit_chunk(transfer, connection, address, offset, remaining);
}

/* The chunks of a call from `offset` on. Returns up to where they reach. */
static __always_inline u64 emit_rest(const struct transfer *transfer, u64 offset, u64 wanted) {
    begin_long_transfer(transfer);
    for (int i = 0; i < CHUNKS_MAX; i++) {
        if (offset >= wanted)
            break;
        u64 done = emit_next_chunk(transfer->buffer + offset, offset, wanted - offset);
        if (done == 0)
            break;
        offset = forget_bounds(offset + done, transfer->time_ns);
    }
    end_long_transfer();
    return offset;
}

static __always_inline void emit_transfer(const struct transfer *transfer,
                                          struct connection *connection) {
    u64 wanted = transfer->bytes;
    if (wanted > SL_CALL_MAX)
        wanted = SL_CALL_MAX;
    wanted = forget_bounds(wanted, transfer->time_ns);

    /* Nothing of the stream may overtake the news that something before it is lost. */
    if (!report_loss(transfer, connection, SL_DROP_RING_FULL)) {
        lose(transfer, connection, 0, transfer->bytes, SL_DROP_RING_FULL);
        return;
    }
    /* Nothing to read them from: a file that was sent, or a send that was repeated without data. */
    if (!transfer->buffer) {
        lose(transfer, connection, 0, transfer->bytes, SL_DROP_FAULT);
        return;
    }
    u64 offset = emit_chunk(transfer, connection, transfer->buffer, 0, wanted);
    if (offset > 0 && offset < wanted)
        offset = emit_rest(transfer, offset, wanted);
    if (offset < wanted)
        lose(transfer, connection, offset, wanted - offset, SL_DROP_RING_FULL);
    if (transfer->bytes > wanted)
        lose(transfer, connection, wanted, transfer->bytes - wanted, SL_DROP_CALL_LIMIT);
}
