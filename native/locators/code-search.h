// What the locators of stripped stacks share: one file's search, the functions that use an address,
// and the constants that reach a register.
#pragma once

#include "byte-scan.h"
#include "elf-file.h"
#include "function-starts.h"
#include "instruction.h"
#include "location.h"
#include "relocations.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sightline {

// Pieces of text whose places all locators together need, so that one pass finds them.
enum class KnownText : uint32_t {
    ssl_library_file,
    read_internal,
    write_internal,
    rustls_record_layer,
    rustls_fragmenter,
    rustls_tls12,
    rustls_tls13,
    rustls_cipher,
    openssl_version,
    openssl_new,
    x509_verify_file,
};

const std::vector<std::string> &known_texts();

struct CodeSearch {
    const ElfFile &file;
    const SearchLimits &limits;
    const Deadline &deadline;
    std::vector<TextHit> hits;
    Relocations relocations;
    // Of all addresses that any locator asked for, once they have.
    std::vector<AddressUse> uses;
    FunctionStarts starts;

    CodeSearch(const ElfFile &of_file, const SearchLimits &with_limits, const Deadline &until)
        : file(of_file), limits(with_limits), deadline(until), starts(of_file) {
    }

    std::vector<uint64_t> places_of(KnownText text) const;
    // The text around an address, from the last NUL before it to the next one; nothing when that is
    // longer than a path.
    struct CString {
        uint64_t address;
        std::string text;
    };
    std::optional<CString> c_string_around(uint64_t address) const;
};

struct AddressUser {
    FunctionRange range;
    std::vector<Instruction> code;
    // Indices in `code`, with the address used by each.
    std::vector<std::pair<size_t, uint64_t>> uses;
};

// The functions that use one of the addresses, by where they begin.
std::vector<AddressUser> users_of(const CodeSearch &search, const std::vector<uint64_t> &addresses);

// Finds one stack in programs without symbols. All locators are first asked what they look for, so
// that one pass over the code serves all.
class StrippedLocator {
  public:
    virtual ~StrippedLocator() = default;
    // Its name in results.
    virtual const char *stack() const = 0;
    // The addresses of constants whose uses tell the stack's functions; none where it is not there.
    virtual ScanEnd collect(const CodeSearch &search, std::vector<uint64_t> *addresses) = 0;
    // Adds to `locations` what it finds, or why it refuses. Only called when it has collected
    // something.
    virtual void settle(const CodeSearch &search, Locations *locations) = 0;
};

// The register that the instruction puts the address into.
std::optional<unsigned> register_of_use(const Instruction &instruction, uint64_t address);

// Constants that the register may hold behind code[index], on any short way there and on to the end
// of its straight line of code.
std::set<int64_t> constants_at(const std::vector<Instruction> &code, size_t index,
                               unsigned register_number);

// The same just before code[index].
std::set<int64_t> constants_before(const std::vector<Instruction> &code, size_t index,
                                   unsigned register_number);

bool calls(const std::vector<Instruction> &code, uint64_t target);

struct FunctionRequest {
    std::string name;
    std::string signature;
    uint64_t address;
    uint64_t end;
    ProbeNeeds needs;
};

// Adds the function with the place to probe it; false when there is none.
bool add_function(const ElfFile &file, const FunctionRequest &request, LocatedStack *stack);

std::string hex(uint64_t value);

} // namespace sightline
