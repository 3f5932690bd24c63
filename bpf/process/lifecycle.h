/* Processes begin and end: fork and exit. */
#pragma once

#include "../kernel/task.h"
#include "../maps/exits.h"
#include "../maps/peers.h"
#include "../maps/policies.h"
#include "../ring/submit.h"
#include "../tls/process_end.h"

/* The kernel's mark of a whole thread group on its way out (include/linux/sched/signal.h). */
#define SIGNAL_GROUP_EXIT 0x00000004

/* TP_PROTO(struct task_struct *parent, struct task_struct *child) */
SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *parent = (struct task_struct *)ctx->args[0];
    struct task_struct *child = (struct task_struct *)ctx->args[1];
    u32 parent_pid = bpf_get_current_pid_tgid() >> 32;
    u32 child_pid = BPF_CORE_READ(child, tgid);
    /* A new thread stays in its creator's group. */
    if (child_pid == parent_pid)
        return 0;
    inherit_policy(child_pid);
    /* The children of an excluded process are announced where they are seen without being watched.
     */
    struct sl_process_policy *policy = bpf_map_lookup_elem(&policies, &parent_pid);
    bool is_excluded_alone = policy && policy->policy == SL_POLICY_EXCLUDED;
    if (!(is_excluded_alone ? config.watch_all : is_seen_by(policy)))
        return 0;
    u64 pending = pending_bytes();
    struct sl_fork_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    record->header = record_header(SL_RECORD_FORK, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    describe_process(&record->process, child);
    describe_process(&record->parent, parent);
    record->parent.tid = bpf_get_current_pid_tgid();
    submit(record, sizeof(*record), pending);
    return 0;
}

/* What wait(2) will say: the group's code when the group was told to end, else the leader's own. */
static __always_inline u32 wait_status_of(struct task_struct *task) {
    u32 flags = BPF_CORE_READ(task, signal, flags);
    if (flags & SIGNAL_GROUP_EXIT)
        return BPF_CORE_READ(task, signal, group_exit_code);
    return BPF_CORE_READ(task, group_leader, exit_code);
}

static __always_inline void emit_exit(struct task_struct *task) {
    u64 pending = pending_bytes();
    struct sl_exit_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return;
    }
    u32 status = wait_status_of(task);
    record->header = record_header(SL_RECORD_EXIT, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    describe_process(&record->process, task);
    record->process.tid = bpf_get_current_pid_tgid();
    record->code = (status >> 8) & 0xff;
    record->signal = status & 0x7f;
    submit(record, sizeof(*record), pending);
}

/*
 * TP_PROTO(struct task_struct *task), and a second argument since Linux 6.16; so the count of live
 * threads tells the last one on every kernel. It is lowered before this point.
 */
SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    u32 pid = pid_tgid >> 32;
    end_peer_search(pid_tgid);
    struct sl_process_policy *policy = bpf_map_lookup_elem(&policies, &pid);
    bool seen = is_seen_by(policy);
    if (!seen && !policy)
        return 0;
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    if (BPF_CORE_READ(task, signal, live.counter) != 0)
        return 0;
    if (seen) {
        struct exit_key key = {
            .start_ns = process_start_of(task),
            .pid = pid,
        };
        u32 reported = 1;
        if (bpf_map_update_elem(&exits, &key, &reported, BPF_NOEXIST) == 0) {
            end_writes(pid);
            emit_exit(task);
        }
    }
    if (policy)
        bpf_map_delete_elem(&policies, &pid);
    return 0;
}
