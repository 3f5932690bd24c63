// Finds the internal read and write functions of OpenSSL in a program that it is linked into and
// that has no symbols. OpenSSL 3 puts each function's name beside its errors; 1.1 puts the
// function's number there, from a public header that never renumbers (<openssl/sslerr.h>).
// https://docs.openssl.org/3.0/man3/ERR_raise/ https://docs.openssl.org/1.1.1/man3/ERR_put_error/
#pragma once

#include "code-search.h"

namespace sightline {

class OpensslLocator : public StrippedLocator {
  public:
    const char *stack() const override;
    ScanEnd collect(const CodeSearch &search, std::vector<uint64_t> *addresses) override;
    void settle(const CodeSearch &search, Locations *locations) override;

  private:
    // Of the functions' names, and of the path of ssl_lib.c.
    std::vector<uint64_t> read_names_;
    std::vector<uint64_t> write_names_;
    std::vector<uint64_t> new_names_;
    std::vector<uint64_t> files_;
};

} // namespace sightline
