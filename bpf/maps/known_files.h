/*
 * Files that user space has looked at: their mappings are not reported any more. User space alone
 * writes it, when it has truly found the file: a process may be gone before anybody looked.
 */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "../abi/events.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct sl_file);
    __type(value, u32);
} known_files SEC(".maps");

/* When a file was reported last: user space needs a moment to look. */
#define REPORT_AGAIN_NS 5000000ULL

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct sl_file);
    __type(value, u64);
} reported_files SEC(".maps");
