// Finds where plaintext enters and leaves rustls in a program without symbols.
// https://github.com/rustls/rustls
//
// Rust keeps file and line of everything that may panic, also in stripped programs. The function
// that uses such places of both record_layer.rs and msgs/fragmenter.rs is the one that cuts
// application data into records. The functions that make ciphers use places of the providers'
// tls12.rs and tls13.rs and the tables of methods of what they make: one method is a decrypter, two
// with the second a sum are an encrypter.
#pragma once

#include "code-search.h"

#include <map>
#include <set>
#include <string>

namespace sightline {

class RustlsLocator : public StrippedLocator {
  public:
    const char *stack() const override;
    ScanEnd collect(const CodeSearch &search, std::vector<uint64_t> *addresses) override;
    void settle(const CodeSearch &search, Locations *locations) override;

  private:
    std::set<std::string> versions_;
    // Address of a std::panic::Location, and the source file that it names.
    std::map<uint64_t, KnownText> places_;
};

} // namespace sightline
