// enum sl_drop by name: lower case, without its prefix.
#pragma once

#include "../bpf/abi/events.h"

namespace sightline {

struct DropName {
    sl_drop reason;
    const char *name;
};

constexpr DropName kDropNames[] = {
    {SL_DROP_RING_FULL, "ring_full"},
    {SL_DROP_FAULT, "fault"},
    {SL_DROP_CALL_LIMIT, "call_limit"},
    {SL_DROP_CONTROL, "control"},
    {SL_DROP_ARGV, "argv"},
    {SL_DROP_ORPHAN, "orphan"},
    {SL_DROP_TABLE, "table"},
    {SL_DROP_BAD_LENGTH, "bad_length"},
    {SL_DROP_LAYOUT, "layout"},
    {SL_DROP_SEQUENCE, "sequence"},
};
static_assert(sizeof(kDropNames) / sizeof(kDropNames[0]) == SL_DROP_COUNT - 1);

} // namespace sightline
