/*
 * The end of a process, or of its program by an exec, within TLS calls. A read that has not
 * returned has given the program nothing; of a write that has not returned nobody knows how much
 * has left. Looked for at the end alone, so that no call pays for it.
 */
#pragma once

#include "../maps/process_objects.h"
#include "../maps/resting.h"
#include "open_call.h"

/* Of one set of the current process's objects. */
__noinline int end_writes_of(u32 set_number) {
    struct object_set_key key = {
        .pid = bpf_get_current_pid_tgid() >> 32,
        .set = set_number,
    };
    struct object_set *set = bpf_map_lookup_elem(&process_objects, &key);
    if (!set)
        return 0;
    for (int i = 0; i < OBJECT_SET_MAX; i++) {
        if (set->objects[i])
            settle_call(set->objects[i], SL_DIRECTION_WRITE, 0, PROGRAM_ENDS);
    }
    bpf_map_delete_elem(&process_objects, &key);
    return 0;
}

/* Of a process without probes user space has marked what was open. */
static __always_inline void end_writes(u32 pid) {
    struct object_sets *sets = bpf_map_lookup_elem(&process_sets, &pid);
    if (!sets || is_resting(pid))
        return;
    for (u32 set = 0; set < OBJECT_SETS; set++) {
        if (sets->is_used[set])
            end_writes_of(set);
    }
    if (sets->has_more)
        count(SL_DROP_TABLE, 0);
    bpf_map_delete_elem(&process_sets, &pid);
}
