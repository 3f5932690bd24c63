// What the locators find in a file: for each TLS stack its functions with the place to probe each,
// or the reason why not.
#pragma once

#include "placement.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sightline {

// An instruction at which something is known that would be dearer to learn elsewhere.
struct KnownPlace {
    uint64_t offset = 0;
    // What the kernel program is told of it: bpf/abi/place.h.
    uint64_t cookie = 0;
    std::string instruction;
    // In words.
    std::string value;
    // File offsets of the return instructions that need no probe because of it.
    std::vector<uint64_t> covers = {};
    // Of an entry: its return can be probed there too.
    bool can_return_probe = false;
};

struct LocatedFunction {
    std::string name;
    // The documented function whose arguments and result this one has: its own name, or another's
    // where an internal function is probed in its place.
    std::string signature;
    // Documented functions whose calls all come through here, when that is not just its own.
    std::vector<std::string> covers;
    // File offset of the first instruction; the place to probe is in `placement`.
    uint64_t offset = 0;
    Placement placement;
    // File offsets of all return instructions, where the returns are to be probed one by one.
    std::vector<uint64_t> returns;
    // Where results are known before a return: of use where the kernel can tell a program at which
    // place it runs.
    std::vector<KnownPlace> results = {};
    // Places through which all calls come that may succeed, beside `placement`: as above.
    // `returns` are then those behind the ones that cannot have a return probe.
    std::vector<KnownPlace> entries = {};
    // Why the returns are probed so; empty where they are not instructions.
    std::string returns_why = "";
};

struct LocatedStack {
    // openssl, boringssl, gnutls, nss, go, rustls.
    std::string stack;
    // As the file says it; empty when it does not.
    std::string version;
    // symbol, pclntab, error-calls, function-names, panic-locations.
    std::string located_by;
    // How arguments are passed: sysv, go-register, go-stack, rust.
    std::string convention;
    std::vector<LocatedFunction> functions;
    std::string evidence;
};

struct Refusal {
    std::string stack;
    // What was found, and why it is not enough.
    std::string reason;
};

struct Locations {
    std::vector<LocatedStack> found;
    std::vector<Refusal> refused;
    // False when a limit was reached or the file changed: another search may find more.
    bool is_complete = true;
};

} // namespace sightline
