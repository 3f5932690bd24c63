/* Finds the connection that a call belongs to, or begins one. */
#pragma once

#include "../kernel/task.h"
#include "../maps/connections.h"
#include "../maps/counters.h"

static __always_inline struct connection *begin_connection(const struct connection_key *key,
                                                           u64 start_ns, u64 exec_id, u64 time_ns,
                                                           u64 stack) {
    u64 thread = bpf_get_current_pid_tgid();
    bpf_map_update_elem(&new_connections, &thread, (const void *)&blank_connection, BPF_ANY);
    struct connection *fresh = bpf_map_lookup_elem(&new_connections, &thread);
    if (!fresh)
        return NULL;
    fresh->process_start_ns = start_ns;
    fresh->exec_id = exec_id;
    fresh->generation = time_ns;
    fresh->stack = stack;
    /* Another thread may have been first: then its entry is the one. */
    bpf_map_update_elem(&connections, key, fresh, BPF_NOEXIST);
    bpf_map_delete_elem(&new_connections, &thread);
    return bpf_map_lookup_elem(&connections, key);
}

/*
 * An entry of another process with the same pid, or of the program before an exec, is another
 * connection. `time_ns` becomes the generation of a new one.
 */
static __always_inline struct connection *connection_of(const struct connection_key *key,
                                                        u64 time_ns, u64 stack) {
    struct task_struct *task = current_task();
    u64 start_ns = process_start_of(task);
    u64 exec_id = BPF_CORE_READ(task, self_exec_id);
    struct connection *connection = bpf_map_lookup_elem(&connections, key);

    if (connection) {
        if (connection->process_start_ns == start_ns && connection->exec_id == exec_id)
            return connection;
        bpf_map_delete_elem(&connections, key);
    }
    return begin_connection(key, start_ns, exec_id, time_ns, stack);
}
