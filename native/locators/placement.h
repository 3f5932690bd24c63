// Where in a function to put a probe. The kernel emulates a few instructions at a probe and
// single-steps all others, which costs ten to twenty times as much: the best place is the first
// emulated instruction that is reached exactly once, with the arguments still in their registers
// and, where the return is probed too, with the return address still on top of the stack.
#pragma once

#include "elf-file.h"
#include "instruction.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sightline {

struct ProbeNeeds {
    // Registers that the probe reads.
    RegisterMask arguments;
    bool wants_return;
};

struct Placement {
    uint64_t address = 0;
    uint64_t offset = 0;
    // entry, after-endbr64, past-start, internal.
    std::string chosen;
    std::string why;
    // The instruction probed; empty where the machine's code is not decoded.
    std::string instruction;
    bool is_emulated = false;
    bool can_return_probe = false;
};

// A function's place in memory; an end of 0 is unknown.
struct FunctionBody {
    uint64_t start = 0;
    uint64_t end = 0;
};

// Nothing when the function is not in the file, or begins with something that is no instruction.
std::optional<Placement> place_probe(const ElfFile &file, const FunctionBody &body,
                                     const ProbeNeeds &needs);

// Registers that the function reads before it writes them: its arguments, and what it saves.
RegisterMask live_registers(const std::vector<Instruction> &code);

// The function alone, without what the linker put behind it.
std::vector<Instruction> decode_function(const ElfFile &file, const FunctionBody &body);

} // namespace sightline
