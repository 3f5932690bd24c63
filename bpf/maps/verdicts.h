/*
 * What user space does not want to be copied, by connection. User space alone writes it, so neither
 * side can undo a change of the other's: nothing is cleared here when a request comes, but the
 * verdict names the position of the other direction up to which it holds.
 */
#pragma once

#include "connections.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct connection_key);
    __type(value, struct sl_verdict);
} verdicts SEC(".maps");
