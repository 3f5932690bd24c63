/* Descriptors of NSPR that are TLS: those that SSL_ImportFD has returned. Least recently used ones
 * give way. */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>
#include "connections.h"

/* The program whose descriptor it is: an address means something only in there. */
struct nss_descriptor {
    u64 process_start_ns;
    u64 exec_id;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct connection_key);
    __type(value, struct nss_descriptor);
} nss_descriptors SEC(".maps");
