// Where in a function its result is already known, at an instruction that the kernel emulates: what
// returns at a return instruction, which is single-stepped, can be had there for a tenth.
#pragma once

#include "value-flow.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sightline {

// One of the two numbers whose sum is the result.
struct ResultPart {
    // The register, or else the distance from the stack pointer at the place.
    std::optional<unsigned> register_number;
    int64_t stack_distance = 0;
};

struct ResultPlace {
    uint64_t address = 0;
    // How far the stack pointer is below its value at the function's entry.
    int64_t stack_bytes = 0;
    // One or two.
    std::vector<ResultPart> parts;
    // Addresses of the return instructions that are reached through here, each with this result.
    std::vector<uint64_t> covered;
};

struct ResultRules {
    unsigned result_register;
    // Where the entry is probed, in front of which nothing is looked for.
    uint64_t entry;
    ValueFlow::Rules flow;
    // Whether the instruction may run behind the place: what is to be copied must be in its buffer.
    std::function<bool(const Instruction &)> may_follow;
    // What must run before the place on some way; nothing where anything will do.
    std::function<bool(const Instruction &)> must_precede;
};

struct ResultPlaces {
    std::vector<ResultPlace> found;
    // Why there are none.
    std::string reason;
};

// Places at which the result of every return they lead to is known, through which each of these
// returns is reached exactly once, and which no return that is not covered comes behind.
ResultPlaces find_result_places(const std::vector<Instruction> &code, const ResultRules &rules);

} // namespace sightline
