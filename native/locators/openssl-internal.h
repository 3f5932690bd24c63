// The internal functions of OpenSSL 1.1.1 and 3 that all its reading and writing goes through:
// ssl_read_internal(s, buffer, bytes, *done) and ssl_write_internal(s, buffer, bytes, *done), the
// latter with flags before `done` since 3.3.
// https://github.com/openssl/openssl/blob/openssl-3.0/ssl/ssl_lib.c
#pragma once

#include "../elf-symbols.h"
#include "code-search.h"

#include <map>
#include <string>

namespace sightline {

constexpr const char *kOpensslInternalNames[] = {"ssl_read_internal", "ssl_write_internal"};

// Probes the internal functions in place of the exported ones where that is cheaper and safe.
void prefer_internal_functions(const ElfFile &file,
                               const std::map<std::string, FunctionSymbol> &symbols,
                               LocatedStack *stack);

// What an internal function's arguments are those of: SSL_read_ex, SSL_write_ex or SSL_write_ex2;
// nothing when its arguments fit none.
std::optional<std::string> internal_signature(const std::vector<Instruction> &code, bool is_write);

// ssl_write_internal has two names here, because it takes other arguments since 3.3.
const char *internal_name(const std::string &signature);

ProbeNeeds internal_needs(const std::string &signature);

} // namespace sightline
