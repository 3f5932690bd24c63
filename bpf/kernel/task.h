/* Who a task is: the process it belongs to, as the records name it. */
#pragma once

#include "types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "../abi/events.h"

static __always_inline struct task_struct *current_task(void) {
    return (struct task_struct *)bpf_get_current_task();
}

static __always_inline u64 process_start_of(struct task_struct *task) {
    return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* Names the process of `task`; `tid` stays the caller's to set. */
static __always_inline void describe_process(struct sl_process *process, struct task_struct *task) {
    process->start_ns = process_start_of(task);
    process->pid = BPF_CORE_READ(task, tgid);
    process->tid = 0;
}
