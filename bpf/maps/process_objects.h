/*
 * The TLS objects that a process has connections on, found when it ends: by pid and a hash of their
 * addresses. Written when a connection begins. Least recently used entries give way.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

/* A power of two, and its logarithm. */
#define OBJECT_SETS 256
#define OBJECT_SETS_BITS 8
#define OBJECT_SET_MAX 8
/* 2^64 divided by the golden ratio. */
#define OBJECT_HASH_FACTOR 0x9e3779b97f4a7c15ULL

struct object_set_key {
    u32 pid;
    u32 set;
};

struct object_set {
    u64 objects[OBJECT_SET_MAX];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct object_set_key);
    __type(value, struct object_set);
} process_objects SEC(".maps");

/* Which sets a process has, by pid: most have none, and their end costs one look-up. Bytes, because
 * threads may write at once. */
struct object_sets {
    u8 is_used[OBJECT_SETS];
    /* There were more objects at once than the sets have taken. */
    u8 has_more;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, struct object_sets);
} process_sets SEC(".maps");
