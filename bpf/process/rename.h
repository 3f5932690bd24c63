/* A program gives itself another name, by which it may be known. */
#pragma once

#include "../kernel/task.h"
#include "../maps/policies.h"
#include "../ring/submit.h"

/*
 * Whether a name decides over the process. Where programs are judged, one that is not seen is from
 * here on, until user space has judged it anew: nothing of it is missed.
 */
static __always_inline bool may_be_known_by_name(u32 pid) {
    struct sl_process_policy *policy = bpf_map_lookup_elem(&policies, &pid);
    if (policy &&
        (policy->policy == SL_POLICY_EXCLUDED || policy->policy == SL_POLICY_TREE_EXCLUDED))
        return false;
    if (is_seen_by(policy))
        return true;
    if (!config.judges_programs)
        return false;
    struct sl_process_policy unjudged = {.policy = SL_POLICY_UNJUDGED};
    set_policy(pid, &unjudged);
    return true;
}

/*
 * TP_PROTO(struct task_struct *task, const char *name), just before it has that name. A process has
 * the name of its main thread. What an exec makes of it is in the exec's own record.
 */
SEC("raw_tp/task_rename")
int process_rename(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    u32 pid = BPF_CORE_READ(task, tgid);
    if ((u32)BPF_CORE_READ(task, pid) != pid)
        return 0;
    if (bpf_core_field_exists(task->in_execve) && BPF_CORE_READ_BITFIELD_PROBED(task, in_execve))
        return 0;
    if (!may_be_known_by_name(pid))
        return 0;
    u64 pending = pending_bytes();
    struct sl_rename_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    record->header = record_header(SL_RECORD_RENAME, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    describe_process(&record->process, task);
    record->process.tid = bpf_get_current_pid_tgid();
    record->exec_id = BPF_CORE_READ(task, self_exec_id);
    __builtin_memset(record->comm, 0, sizeof(record->comm));
    bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), (const void *)ctx->args[1]);
    submit(record, sizeof(*record), pending);
    return 0;
}
