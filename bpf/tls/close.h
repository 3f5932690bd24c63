/* The end of a connection: its object is given up, and its address may belong to another one as
 * soon as that has happened. */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../maps/policies.h"
#include "handshake_end.h"
#include "open_call.h"
#include "skip.h"
#include "stream.h"

/* Whatever was not handed over and not reported yet. Returns whether all of it is reported now. */
static __always_inline bool report_last_losses(const struct connection_key *key,
                                               struct connection *connection, u32 tid) {
    struct transfer transfer = {
        .time_ns = bpf_ktime_get_boot_ns(),
        .process = {.start_ns = connection->process_start_ns, .pid = key->pid, .tid = tid},
        .object = key->object,
        .generation = connection->generation,
        .direction = SL_DIRECTION_READ,
        .stack = connection->stack,
    };
    transfer.enter_ns = transfer.time_ns;
    report_skip(&transfer, connection, SL_DIRECTION_READ);
    report_skip(&transfer, connection, SL_DIRECTION_WRITE);
    bool all = report_loss(&transfer, connection, SL_DROP_RING_FULL);
    transfer.direction = SL_DIRECTION_WRITE;
    return report_loss(&transfer, connection, SL_DROP_RING_FULL) && all;
}

static __always_inline void emit_close(const struct connection_key *key,
                                       struct connection *connection, u32 tid) {
    u64 pending = pending_bytes();
    struct sl_close_record *record = NULL;
    if (report_last_losses(key, connection, tid))
        record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return;
    }
    record->header = record_header(SL_RECORD_CLOSE, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    record->process.start_ns = connection->process_start_ns;
    record->process.pid = key->pid;
    record->process.tid = tid;
    record->object = key->object;
    record->generation = connection->generation;
    record->read_position = connection->position[SL_DIRECTION_READ];
    record->write_position = connection->position[SL_DIRECTION_WRITE];
    record->stack = connection->stack;
    __builtin_memset(record->pad, 0, sizeof(record->pad));
    submit(record, sizeof(*record), pending);
}

/* Ends the connection of `object`, when there is one. */
static __always_inline int close_connection(u64 object) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    u32 pid = pid_tgid >> 32;
    if (!is_seen(pid))
        return 0;
    struct connection_key key = {
        .object = object,
        .pid = pid,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return 0;
    struct task_struct *task = current_task();
    /* Of an earlier process or program: nobody will ever close it, and this is not its end. */
    if (connection->process_start_ns == process_start_of(task) &&
        connection->exec_id == BPF_CORE_READ(task, self_exec_id)) {
        /* Of BoringSSL this may be long after: when its object is used again. */
        if (connection->stack != SL_STACK_BORINGSSL)
            end_handshake(&key, connection, SL_HANDSHAKE_ABANDONED, SL_CODE_NONE, 0);
        settle_calls(connection, object, pid_tgid, NO_PLACE, NO_PLACE);
        emit_close(&key, connection, pid_tgid);
    }
    bpf_map_delete_elem(&verdicts, &key);
    bpf_map_delete_elem(&connections, &key);
    return 0;
}
