/* A process starts a program: its arguments, its file and who it runs as, read before its first
 * instruction. */
#pragma once

#include "../kernel/bounds.h"
#include "../kernel/task.h"
#include "../maps/policies.h"
#include "../ring/submit.h"
#include "../tls/process_end.h"
#include "environment.h"
#include "executable.h"

/* SL_ARGV_MAX in whole chunks, and the smaller ones that the last may fall into. */
#define ARGV_CHUNKS_MAX (SL_ARGV_MAX / SL_CHUNK_MAX + 8)

static __always_inline u64 emit_arguments_class(u64 time_ns, u64 address, u64 offset, u64 remaining,
                                                const u64 class_bytes) {
    const u64 room = sizeof(struct sl_argv_record) + class_bytes;
    u64 pending = pending_bytes();
    if (!has_room_for_data(pending, room))
        return 0;
    struct sl_argv_record *record = bpf_ringbuf_reserve(&records, room, 0);
    if (!record)
        return 0;
    u64 bytes = at_most(remaining, class_bytes);
    if (bpf_probe_read_user(record + 1, bytes, (void *)address)) {
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return 0;
    }
    u64 size = sizeof(*record) + bytes;
    record->header = record_header(SL_RECORD_ARGV, size);
    record->time_ns = time_ns;
    describe_process(&record->process, current_task());
    record->process.tid = bpf_get_current_pid_tgid();
    record->offset = offset;
    record->bytes = bytes;
    submit(record, size, pending + (room - size));
    return bytes;
}

/*
 * Hands over the arguments' bytes at `address`, as many as fit into one record. Returns how many; 0
 * when there was no room. Global, and given numbers alone, so that the verifier looks at it once
 * and not for each turn of a loop.
 */
__noinline int emit_arguments_chunk(u64 time_ns, u64 address, u64 offset, u64 remaining) {
    if (remaining > 32 * 1024 && config.data_limit_bytes >= 4 * SL_CHUNK_MAX)
        return emit_arguments_class(time_ns, address, offset, remaining, SL_CHUNK_MAX);
    if (remaining > 4096)
        return emit_arguments_class(time_ns, address, offset, remaining, 16384);
    if (remaining > 512)
        return emit_arguments_class(time_ns, address, offset, remaining, 4096);
    return emit_arguments_class(time_ns, address, offset, remaining, 512);
}

/* What finds no room, cannot be read or is too much is missing at the end: the exec record has the
 * true size. */
static __always_inline void emit_arguments(u64 time_ns, u64 start, u64 bytes) {
    u64 wanted = bytes < SL_ARGV_MAX ? bytes : SL_ARGV_MAX;
    u64 offset = 0;
    wanted = forget_bounds(wanted, time_ns);
    for (int i = 0; i < ARGV_CHUNKS_MAX; i++) {
        offset = forget_bounds(offset, time_ns);
        if (offset >= wanted)
            break;
        u64 done = emit_arguments_chunk(time_ns, start + offset, offset, wanted - offset);
        if (done == 0)
            break;
        offset += done;
    }
    if (offset < bytes)
        count(SL_DROP_ARGV, bytes - offset);
}

/*
 * TP_PROTO(struct task_struct *task, pid_t old_pid, struct linux_binprm *program), after the point
 * of no return: an exec that fails never gets here.
 */
SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!begin_program(pid_tgid >> 32))
        return 0;
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    end_writes(pid_tgid >> 32);
    u64 now = bpf_ktime_get_boot_ns();
    u64 start = BPF_CORE_READ(task, mm, arg_start);
    u64 end = BPF_CORE_READ(task, mm, arg_end);
    u64 argument_bytes = end > start ? end - start : 0;
    emit_arguments(now, start, argument_bytes);

    u64 pending = pending_bytes();
    struct sl_exec_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    record->header = record_header(SL_RECORD_EXEC, 0);
    record->time_ns = now;
    describe_process(&record->process, task);
    record->process.tid = pid_tgid;
    describe_process(&record->parent, BPF_CORE_READ(task, real_parent));
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->argv_bytes = argument_bytes;
    record->exec_id = BPF_CORE_READ(task, self_exec_id);
    u64 ids = bpf_get_current_uid_gid();
    record->uid = ids;
    record->gid = ids >> 32;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
    describe_executable(record, task);
    describe_service_name(record, task);
    u64 size = __builtin_offsetof(struct sl_exec_record, path) + record->path_bytes;
    record->header.size = size;
    submit(record, size, pending + (sizeof(*record) - size));
    return 0;
}
