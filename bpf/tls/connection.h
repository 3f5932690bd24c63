/* Finds the connection that a call belongs to, or begins one. */
#pragma once

#include "../kernel/task.h"
#include "../maps/connections.h"
#include "../maps/counters.h"
#include "../maps/process_objects.h"

static __always_inline bool has_connection(u64 object, u32 pid) {
    struct connection_key key = {.object = object, .pid = pid};
    return bpf_map_lookup_elem(&connections, &key);
}

/* For the end of the current process (process_end.h). */
__noinline int remember_object(u64 object) {
    struct object_set_key key = {
        .pid = bpf_get_current_pid_tgid() >> 32,
        .set = object_set_of(object),
    };
    const struct object_sets no_sets = {};
    const struct object_set no_objects = {};
    /* Unless another thread was first. */
    bpf_map_update_elem(&process_sets, &key.pid, &no_sets, BPF_NOEXIST);
    bpf_map_update_elem(&process_objects, &key, &no_objects, BPF_NOEXIST);
    struct object_sets *sets = bpf_map_lookup_elem(&process_sets, &key.pid);
    struct object_set *set = bpf_map_lookup_elem(&process_objects, &key);
    if (!sets || !set) {
        count(SL_DROP_TABLE, 0);
        return 0;
    }
    sets->is_used[key.set & (OBJECT_SETS - 1)] = 1;
    for (int i = 0; i < OBJECT_SET_MAX; i++) {
        u64 known = set->objects[i];
        if (!known || known == object || !has_connection(known, key.pid)) {
            set->objects[i] = object;
            return 0;
        }
    }
    set->has_more = 1;
    return 0;
}

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
    /* Those without calls that begin and end. */
    if (stack != SL_STACK_PLAIN && stack != SL_STACK_RUSTLS)
        remember_object(key->object);
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
