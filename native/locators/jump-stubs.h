// What a call or jump through the procedure linkage table reaches.
// https://gitlab.com/x86-psABIs/x86-64-ABI
#pragma once

#include "elf-file.h"

#include <cstdint>
#include <string>

namespace sightline {

// The symbol that the stub at this address jumps to; empty where it is no stub.
std::string symbol_of_stub(const ElfFile &file, uint64_t address);

} // namespace sightline
