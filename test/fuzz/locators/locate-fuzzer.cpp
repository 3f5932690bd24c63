// Feeds the locators with files that nobody meant to write. Built and run by run.sh.
// https://llvm.org/docs/LibFuzzer.html
#include "../../../native/locators/locate.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

namespace {

// Without it a fuzzer spends its time on finding large counts, not on what they lead to.
constexpr uint32_t kTimeMs = 200;

// One file for all runs: a new one each would cost more than the search.
int memory_file() {
    static const int descriptor = memfd_create("locate-fuzzer", MFD_CLOEXEC);
    return descriptor;
}

void check(bool holds) {
    if (!holds) {
        abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const int descriptor = memory_file();
    check(ftruncate(descriptor, 0) == 0);
    check(pwrite(descriptor, data, size, 0) == static_cast<ssize_t>(size));
    sightline::ElfFile file;
    if (file.open_descriptor(descriptor, "input")) {
        return 0;
    }
    sightline::SearchLimits limits;
    limits.time_ms = kTimeMs;
    sightline::Locations locations;
    if (sightline::locate_in(file, limits, &locations)) {
        return 0;
    }
    // Whatever it takes for a function must be in the file.
    for (const sightline::LocatedStack &stack : locations.found) {
        for (const sightline::LocatedFunction &function : stack.functions) {
            check(function.offset < size && function.placement.offset < size);
            check(function.placement.offset >= function.offset);
            for (const uint64_t offset : function.returns) {
                check(offset < size);
            }
        }
    }
    return 0;
}
