// Finds functions in an ELF file by name, and where in the file their first instruction is.
// https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
#pragma once

#include "failure.h"
#include "locators/elf-file.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sightline {

struct LocatedSymbols {
    // Lower-case hex; empty when the file has none.
    std::string build_id;
    std::map<std::string, uint64_t> offsets;
};

struct FunctionSymbol {
    uint64_t address;
    uint64_t offset;
    // 0 where the table does not say.
    uint64_t bytes;
};

// Codes: SL_ELF_OPEN, SL_ELF_NOT_ELF, SL_ELF_UNSUPPORTED, SL_ELF_MALFORMED, SL_ELF_TOO_LARGE.
Outcome locate_symbols(const std::string &path, const std::vector<std::string> &names,
                       LocatedSymbols *located);

// The same in a file that is open. Names that stand for two functions are left out, as are those
// outside of what is run.
Outcome find_function_symbols(const ElfFile &file, const std::vector<std::string> &names,
                              std::map<std::string, FunctionSymbol> *symbols);

} // namespace sightline
