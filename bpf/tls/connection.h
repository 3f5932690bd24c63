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

/* Returns whether the set has no room. */
__noinline int remember_in(u64 object, u32 number) {
    struct object_set_key key = {.pid = bpf_get_current_pid_tgid() >> 32, .set = number};
    const struct object_set nothing = {};
    /* Unless another thread was first. */
    bpf_map_update_elem(&process_objects, &key, &nothing, BPF_NOEXIST);
    struct object_set *set = bpf_map_lookup_elem(&process_objects, &key);
    for (int i = 0; set && i < OBJECT_SET_MAX; i++) {
        u64 known = set->objects[i];
        if (!known || known == object || !has_connection(known, key.pid)) {
            set->objects[i] = object;
            return false;
        }
    }
    return true;
}

/* For the end of the current process (process_end.h): in one of two sets. */
__noinline int remember_object(u64 object) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 hash = object * OBJECT_HASH_FACTOR;
    u32 number = hash >> (64 - OBJECT_SETS_BITS);
    const struct object_sets nothing = {};
    bpf_map_update_elem(&process_sets, &pid, &nothing, BPF_NOEXIST);
    struct object_sets *sets = bpf_map_lookup_elem(&process_sets, &pid);
    if (!sets) {
        count(SL_DROP_TABLE, 0);
        return 0;
    }
    if (remember_in(object, number)) {
        number = hash >> (64 - 2 * OBJECT_SETS_BITS) & (OBJECT_SETS - 1);
        if (remember_in(object, number))
            sets->has_more = 1;
    }
    sets->is_used[number & (OBJECT_SETS - 1)] = 1;
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
