/* A process starts a program: its arguments, its file and who it runs as, read before its first
 * instruction. */
#pragma once

#include "../kernel/bounds.h"
#include "../kernel/task.h"
#include "../maps/policies.h"
#include "../ring/submit.h"
#include "environment.h"
#include "executable.h"

/* SL_ARGV_MAX in whole chunks, and the smaller ones that the last may fall into. */
#define ARGV_CHUNKS_MAX (SL_ARGV_MAX / SL_CHUNK_MAX + 8)

struct arguments {
    u64 time_ns;
    struct sl_process process;
    u64 start;
    u64 bytes;
};

static __always_inline u64 emit_arguments_chunk(const struct arguments *arguments, u64 offset,
                                                u64 remaining, const u64 class_bytes) {
    const u64 room = sizeof(struct sl_argv_record) + class_bytes;
    u64 pending = pending_bytes();
    if (!has_room_for_data(pending, room))
        return 0;
    struct sl_argv_record *record = bpf_ringbuf_reserve(&records, room, 0);
    if (!record)
        return 0;
    u64 bytes = at_most(remaining, class_bytes);
    if (bpf_probe_read_user(record + 1, bytes, (void *)(arguments->start + offset))) {
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return 0;
    }
    u64 size = sizeof(*record) + bytes;
    record->header = record_header(SL_RECORD_ARGV, size);
    record->time_ns = arguments->time_ns;
    record->process = arguments->process;
    record->offset = offset;
    record->bytes = bytes;
    submit(record, size, pending + (room - size));
    return bytes;
}

/* What finds no room, cannot be read or is too much is missing at the end: the exec record has the
 * true size. */
static __always_inline void emit_arguments(const struct arguments *arguments) {
    u64 wanted = arguments->bytes;
    if (wanted > SL_ARGV_MAX)
        wanted = SL_ARGV_MAX;
    u64 offset = 0;
    for (int i = 0; i < ARGV_CHUNKS_MAX; i++) {
        u64 done;
        offset = forget_bounds(offset, arguments->time_ns);
        if (offset >= wanted)
            break;
        u64 remaining = forget_bounds(wanted - offset, arguments->time_ns);
        if (remaining > 32 * 1024 && config.data_limit_bytes >= 4 * SL_CHUNK_MAX)
            done = emit_arguments_chunk(arguments, offset, remaining, SL_CHUNK_MAX);
        else if (remaining > 4096)
            done = emit_arguments_chunk(arguments, offset, remaining, 16384);
        else if (remaining > 512)
            done = emit_arguments_chunk(arguments, offset, remaining, 4096);
        else
            done = emit_arguments_chunk(arguments, offset, remaining, 512);
        if (done == 0)
            break;
        offset += done;
    }
    if (offset < arguments->bytes)
        count(SL_DROP_ARGV, arguments->bytes - offset);
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
    struct arguments arguments = {
        .time_ns = bpf_ktime_get_boot_ns(),
        .start = BPF_CORE_READ(task, mm, arg_start),
    };
    describe_process(&arguments.process, task);
    arguments.process.tid = pid_tgid;
    u64 end = BPF_CORE_READ(task, mm, arg_end);
    arguments.bytes = end > arguments.start ? end - arguments.start : 0;
    emit_arguments(&arguments);

    u64 pending = pending_bytes();
    struct sl_exec_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    record->header = record_header(SL_RECORD_EXEC, 0);
    record->time_ns = arguments.time_ns;
    record->process = arguments.process;
    describe_process(&record->parent, BPF_CORE_READ(task, real_parent));
    record->cgroup_id = bpf_get_current_cgroup_id();
    record->argv_bytes = arguments.bytes;
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
