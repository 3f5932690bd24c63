// Finds crypto/tls.(*Conn).Read, Write and Close in a Go program by the table that its own stack
// traces need, which stripping does not remove.
// https://go.dev/src/internal/abi/symtab.go https://go.dev/src/debug/gosym/pclntab.go
#pragma once

#include "code-search.h"

namespace sightline {

// Adds to `locations` what it finds, or why it refuses; nothing where there is no Go, or no TLS.
void locate_go(const CodeSearch &search, Locations *locations);

} // namespace sightline
