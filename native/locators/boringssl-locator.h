// Finds SSL_read and SSL_write in a program that BoringSSL is linked into and that has no symbols.
// https://boringssl.googlesource.com/boringssl/+/refs/heads/main/ssl/ssl_lib.cc
//
// Every error names its source file, and puts a reason from a public header (<openssl/ssl.h>) into
// the register before the file's. The set of reasons tells the functions of ssl_lib.cc apart,
// whatever the compiler did with their order, size and lines.
#pragma once

#include "code-search.h"

namespace sightline {

class BoringsslLocator : public StrippedLocator {
  public:
    const char *stack() const override;
    ScanEnd collect(const CodeSearch &search, std::vector<uint64_t> *addresses) override;
    void settle(const CodeSearch &search, Locations *locations) override;

  private:
    // Of the path of ssl_lib.cc; the linker may keep it more than once.
    std::vector<uint64_t> paths_;
    // Of x509_vfy.cc.
    std::vector<uint64_t> verify_paths_;
};

} // namespace sightline
