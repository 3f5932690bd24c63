/* Which processes are seen. Written by user space, inherited at fork, cleared at exit. */
#pragma once

#include "../kernel/task.h"
#include "config.h"
#include "counters.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u32);
    __type(value, struct sl_process_policy);
} policies SEC(".maps");

/*
 * Whether the current process, whose policy it is, is seen. User space may have judged a program
 * that the process has replaced since: the number of the program tells.
 */
static __always_inline bool is_seen_by(const struct sl_process_policy *policy) {
    if (!policy)
        return config.watch_all;
    switch (policy->policy) {
    case SL_POLICY_WATCHED:
    case SL_POLICY_UNJUDGED:
        return true;
    case SL_POLICY_UNWANTED:
        return policy->exec_id != BPF_CORE_READ(current_task(), self_exec_id);
    default:
        return false;
    }
}

/* `pid` is the current process. */
static __always_inline bool is_seen(u32 pid) {
    return is_seen_by(bpf_map_lookup_elem(&policies, &pid));
}

static __always_inline void set_policy(u32 pid, const struct sl_process_policy *policy) {
    if (bpf_map_update_elem(&policies, &pid, policy, BPF_ANY))
        count(SL_DROP_TABLE, 0);
}

/*
 * What a new process has from the one that made it, the current one. What is left of an earlier
 * process with its number goes: user space may have written that after its end.
 */
static __always_inline void inherit_policy(u32 child) {
    u32 parent = bpf_get_current_pid_tgid() >> 32;
    struct sl_process_policy *policy = bpf_map_lookup_elem(&policies, &parent);
    if (policy && (policy->policy == SL_POLICY_TREE_EXCLUDED ||
                   (policy->policy != SL_POLICY_EXCLUDED && is_seen_by(policy)))) {
        struct sl_process_policy inherited = *policy;
        set_policy(child, &inherited);
    } else {
        bpf_map_delete_elem(&policies, &child);
    }
}

/*
 * The current process starts a program, which it may be wanted for; until user space has judged
 * that it is seen, so that nothing of it is missed. Returns whether it is seen.
 */
static __always_inline bool begin_program(u32 pid) {
    struct sl_process_policy *policy = bpf_map_lookup_elem(&policies, &pid);
    if (policy || !config.judges_programs)
        return is_seen_by(policy);
    struct sl_process_policy unjudged = {.policy = SL_POLICY_UNJUDGED};
    set_policy(pid, &unjudged);
    return true;
}
