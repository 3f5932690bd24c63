// Finds the internal read and write functions of OpenSSL in a program that it is linked into and
// that has no symbols. OpenSSL 3 puts each function's name beside its errors; 1.1 puts the
// function's number there, from a public header that never renumbers (<openssl/sslerr.h>).
// https://docs.openssl.org/3.0/man3/ERR_raise/ https://docs.openssl.org/1.1.1/man3/ERR_put_error/
#pragma once

#include "code-search.h"

namespace sightline {

// Adds to `locations` what it finds, or why it refuses; nothing where there is no OpenSSL.
void locate_openssl(const CodeSearch &search, Locations *locations);

} // namespace sightline
