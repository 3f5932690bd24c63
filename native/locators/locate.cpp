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

#if defined(__x86_64__)
// The stacks in programs without symbols: one pass over the constants, one over the code, and one
// more for functions that the unwind table does not know.
void locate_stripped(CodeSearch *search, Locations *locations) {
    const auto refuse = [&](const char *stack, ScanEnd end) {
        locations->is_complete = false;
        locations->refused.push_back(
            {stack, std::string("not all of it was searched: ") + text_of(end)});
    };
    ScanEnd end =
        find_texts(search->file, known_texts(), search->limits, search->deadline, &search->hits);
    if (end != ScanEnd::complete) {
        refuse("", end);
        return;
    }
    if (search->hits.empty()) {
        return;
    }
    BoringsslLocator boringssl;
    OpensslLocator openssl;
    RustlsLocator rustls;
    std::vector<StrippedLocator *> asked{&rustls};
    if (!has_stack(*locations, "openssl")) {
        asked = {&boringssl, &openssl, &rustls};
    }
    std::vector<StrippedLocator *> present;
    std::vector<uint64_t> addresses;
    end = search->relocations.read(search->file, search->limits, search->deadline);
    for (StrippedLocator *locator : asked) {
        const size_t before = addresses.size();
        if (end == ScanEnd::complete) {
            end = locator->collect(*search, &addresses);
        }
        if (addresses.size() > before) {
            present.push_back(locator);
        }
    }
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    if (end == ScanEnd::complete && !present.empty()) {
        end = find_address_uses(search->file, addresses, search->limits, search->deadline,
                                &search->uses);
    }
    if (end == ScanEnd::complete) {
        std::vector<uint64_t> places;
        for (const AddressUse &use : search->uses) {
            places.push_back(use.at);
        }
        end = search->starts.learn(places, search->relocations.entries(), search->limits,
                                   search->deadline);
    }
    for (StrippedLocator *locator : present) {
        if (end == ScanEnd::complete) {
            locator->settle(*search, locations);
        } else {
            refuse(locator->stack(), end);
        }
    }
}
#endif

} // namespace

Outcome locate_in(const ElfFile &file, const SearchLimits &limits, Locations *locations) {
    const Outcome failure = locate_by_symbols(file, locations);
    if (failure) {
        return failure;
    }
    const Deadline deadline(limits.time_ms);
    CodeSearch search(file, limits, deadline);
    locate_go(search, locations);
#if defined(__x86_64__)
    locate_stripped(&search, locations);
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
