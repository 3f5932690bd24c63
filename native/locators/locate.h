// The one question to all locators: which TLS functions are in this file, and where to probe them.
#pragma once

#include "elf-file.h"
#include "location.h"
#include "search-limits.h"

#include <string>

namespace sightline {

// To be raised with every change of what is found in a file: results are kept on disk.
constexpr uint32_t kLocatorsRevision = 14;

struct LocateResult {
    FileIdentity identity;
    Locations locations;
};

// Fails when the file is no proper ELF file of this machine; codes as ElfFile::open(). A proper
// file without TLS is a result without locations and refusals.
Outcome locate_functions(const std::string &path, const SearchLimits &limits, LocateResult *result);

// The same for a file that is open.
Outcome locate_in(const ElfFile &file, const SearchLimits &limits, Locations *locations);

} // namespace sightline
