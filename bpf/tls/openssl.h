/*
 * OpenSSL, BoringSSL and their relatives. https://docs.openssl.org/3.0/man3/SSL_read/
 *
 * - int SSL_read(SSL *, void *buffer, int capacity): above 0, the bytes read.
 * - int SSL_read_ex(SSL *, void *buffer, size_t capacity, size_t *bytes): 1 when *bytes were read.
 *
 * The same for writing; SSL_write_ex2 (3.3) has flags before the address of the count.
 * ssl_read_internal and ssl_write_internal, which all of these call, have the arguments of the _ex
 * forms and return more than 0.
 *
 * SSL_peek is left out: what it shows is read again.
 */
#pragma once

#include "call.h"

SEC("uprobe/openssl_read_enter")
int openssl_read_enter(struct pt_regs *ctx) {
    return enter_call(ctx, SL_DIRECTION_READ, 0);
}

SEC("uprobe/openssl_write_enter")
int openssl_write_enter(struct pt_regs *ctx) {
    return enter_call(ctx, SL_DIRECTION_WRITE, 0);
}

SEC("uprobe/openssl_read_ex_enter")
int openssl_read_ex_enter(struct pt_regs *ctx) {
    return enter_call(ctx, SL_DIRECTION_READ, PT_REGS_PARM4(ctx));
}

SEC("uprobe/openssl_write_ex_enter")
int openssl_write_ex_enter(struct pt_regs *ctx) {
    return enter_call(ctx, SL_DIRECTION_WRITE, PT_REGS_PARM4(ctx));
}

SEC("uprobe/openssl_write_ex2_enter")
int openssl_write_ex2_enter(struct pt_regs *ctx) {
    return enter_call(ctx, SL_DIRECTION_WRITE, PT_REGS_PARM5(ctx));
}

/* The return of all of them: what differs was kept at the entry. */
SEC("uretprobe/openssl_call_exit")
int openssl_call_exit(struct pt_regs *ctx) {
    return exit_call(ctx);
}

static __always_inline bool report_last_losses(const struct connection_key *key,
                                               struct connection *connection, u32 tid) {
    struct transfer transfer = {
        .time_ns = bpf_ktime_get_boot_ns(),
        .process = {.start_ns = connection->process_start_ns, .pid = key->pid, .tid = tid},
        .object = key->object,
        .generation = connection->generation,
        .direction = SL_DIRECTION_READ,
    };
    transfer.enter_ns = transfer.time_ns;
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
    record->stack = SL_STACK_OPENSSL;
    __builtin_memset(record->pad, 0, sizeof(record->pad));
    submit(record, sizeof(*record), pending);
}

/* Entry of SSL_free: the address may belong to another connection as soon as it has run. */
SEC("uprobe/openssl_free_enter")
int openssl_free_enter(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    u32 pid = pid_tgid >> 32;
    if (!is_seen(pid))
        return 0;
    struct connection_key key = {
        .object = PT_REGS_PARM1(ctx),
        .pid = pid,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return 0;
    struct task_struct *task = current_task();
    /* Of an earlier process or program: nobody will ever close it, and this is not its end. */
    if (connection->process_start_ns == process_start_of(task) &&
        connection->exec_id == BPF_CORE_READ(task, self_exec_id))
        emit_close(&key, connection, pid_tgid);
    bpf_map_delete_elem(&connections, &key);
    return 0;
}
