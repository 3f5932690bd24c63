/* The ring that carries every record to user space. Its size is set before loading. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 * 1024 * 1024);
} records SEC(".maps");
