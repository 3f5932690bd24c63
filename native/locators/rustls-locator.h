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

namespace sightline {

// Adds to `locations` what it finds, or why it refuses; nothing where there is no rustls.
void locate_rustls(const CodeSearch &search, Locations *locations);

} // namespace sightline
