#include "locate.h"

#include "boringssl-locator.h"
#include "code-search.h"
#include "go-locator.h"
#include "openssl-locator.h"
#include "rustls-locator.h"
#include "symbol-locator.h"

#include <algorithm>

namespace sightline {
namespace {

bool has_stack(const Locations &locations, const char *name) {
    return std::any_of(locations.found.begin(), locations.found.end(),
                       [=](const LocatedStack &stack) { return stack.stack == name; });
}

} // namespace

Outcome locate_in(const ElfFile &file, const SearchLimits &limits, Locations *locations) {
    const Outcome failure = locate_by_symbols(file, locations);
    if (failure) {
        return failure;
    }
    const Deadline deadline(limits.time_ms);
    CodeSearch search{file, limits, deadline, {}};
    locate_go(search, locations);
#if defined(__x86_64__)
    const ScanEnd end = find_texts(file, known_texts(), limits, deadline, &search.hits);
    if (end != ScanEnd::complete) {
        locations->refused.push_back(
            {"", std::string("not all of it was searched: ") + text_of(end)});
        return std::nullopt;
    }
    if (!has_stack(*locations, "openssl")) {
        locate_boringssl(search, locations);
        locate_openssl(search, locations);
    }
    locate_rustls(search, locations);
#endif
    return std::nullopt;
}

Outcome locate_functions(const std::string &path, const SearchLimits &limits,
                         LocateResult *result) {
    ElfFile file;
    Outcome failure = file.open(path);
    if (!failure) {
        result->identity = file.identity();
        failure = locate_in(file, limits, &result->locations);
    }
    return failure;
}

} // namespace sightline
