// What the locators of stripped stacks share: one file's search, the functions that use an address,
// and the constants that reach a register.
#pragma once

#include "byte-scan.h"
#include "elf-file.h"
#include "function-starts.h"
#include "instruction.h"
#include "location.h"

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
};

const std::vector<std::string> &known_texts();

struct CodeSearch {
    const ElfFile &file;
    const SearchLimits &limits;
    const Deadline &deadline;
    std::vector<TextHit> hits;

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

// The functions that use one of the addresses, by where they begin. `pointers`: code addresses in
// the file's data, for functions that nothing calls directly.
ScanEnd find_users(const CodeSearch &search, std::vector<uint64_t> addresses,
                   const std::vector<uint64_t> &pointers, FunctionStarts *starts,
                   std::vector<AddressUser> *users);

// The register that the instruction puts the address into.
std::optional<unsigned> register_of_use(const Instruction &instruction, uint64_t address);

// Constants that the register may hold behind code[index], on any short way there and on to the end
// of its straight line of code.
std::set<int64_t> constants_at(const std::vector<Instruction> &code, size_t index,
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
