// Finds functions in an ELF file by name, and where in the file their first instruction is.
// https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
//
// The file belongs to whoever is observed: no size, offset or count in it is trusted. It is read
// and not mapped, because a mapped file that shrinks kills its reader.
#pragma once

#include "failure.h"

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

// Codes: SL_ELF_OPEN, SL_ELF_NOT_ELF, SL_ELF_UNSUPPORTED, SL_ELF_MALFORMED, SL_ELF_TOO_LARGE.
Outcome locate_symbols(const std::string &path, const std::vector<std::string> &names,
                       LocatedSymbols *located);

} // namespace sightline
