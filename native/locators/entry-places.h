// Where the calls of a function can be seen other than at its beginning, if that is single-stepped:
// where it jumps or calls on with its arguments in registers. Both are emulated.
#pragma once

#include "value-flow.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sightline {

struct EntryPlace {
    uint64_t address = 0;
    // How far the stack pointer is below its value at the function's entry.
    int64_t stack_bytes = 0;
    // What the arguments are in, first to last.
    std::vector<unsigned> registers;
    // It jumps on, so that the return address is on top of the stack and may be replaced.
    bool can_return_probe = false;
};

struct EntryPlaces {
    std::vector<EntryPlace> found;
    // Addresses of the return instructions behind those that cannot have a return probe.
    std::vector<uint64_t> returns;
};

// Every call of the function that may succeed passes exactly one of the places; all others return a
// constant that is not above 0. Nothing is found where that cannot be shown.
EntryPlaces find_entry_places(const std::vector<Instruction> &code,
                              const std::vector<unsigned> &arguments);

} // namespace sightline
