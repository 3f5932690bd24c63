// Finds the functions of OpenSSL, GnuTLS and NSS by their names in the symbol tables.
#pragma once

#include "code-search.h"

namespace sightline {

// Adds to `locations` what it finds, or why it refuses. Fails when the tables cannot be read.
Outcome locate_by_symbols(const ElfFile &file, Locations *locations);

} // namespace sightline
