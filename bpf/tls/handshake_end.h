/* Reports how a connection's handshake ended, once. */
#pragma once

#include "../maps/handshakes.h"
#include "../ring/submit.h"

static __always_inline void emit_handshake(const struct connection_key *key,
                                           const struct connection *connection, u32 outcome,
                                           u32 code_kind, u32 code) {
    u64 pending = pending_bytes();
    struct sl_handshake_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return;
    }
    record->header = record_header(SL_RECORD_HANDSHAKE, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    record->begin_ns = connection->handshake_ns;
    record->process.start_ns = connection->process_start_ns;
    record->process.pid = key->pid;
    record->process.tid = bpf_get_current_pid_tgid();
    record->object = key->object;
    record->generation = connection->generation;
    record->code = code;
    record->code_kind = code_kind;
    record->outcome = outcome;
    record->side = connection->handshake_side;
    record->stack = connection->stack;
    submit(record, sizeof(*record), pending);
}

static __always_inline void end_handshake(const struct connection_key *key,
                                          struct connection *connection, u32 outcome, u32 code_kind,
                                          u32 code) {
    if (connection->handshake_state != HANDSHAKE_OPEN)
        return;
    connection->handshake_state = HANDSHAKE_OVER;
    emit_handshake(key, connection, outcome, code_kind, code);
}
