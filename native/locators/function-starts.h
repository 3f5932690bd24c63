// Where the function begins that an instruction belongs to, in a file without symbols: by the
// unwind table where it covers the address, else by what calls or points there.
// https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/ehframechpt.html
#pragma once

#include "byte-scan.h"
#include "elf-file.h"
#include "instruction.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace sightline {

struct FunctionRange {
    uint64_t start;
    // Not within; of functions without an unwind entry only a bound.
    uint64_t end;
    bool has_unwind_entry;
};

class FunctionStarts {
  public:
    explicit FunctionStarts(const ElfFile &file);

    // Prepares function_of() for these addresses: one pass over the code for those that the unwind
    // table does not cover. `pointers` are places and values of addresses in the file's data.
    ScanEnd learn(const std::vector<uint64_t> &addresses, const std::vector<DataWord> &pointers,
                  const SearchLimits &limits, const Deadline &deadline);

    std::optional<FunctionRange> function_of(uint64_t address) const;
    // Whether a function begins here, as far as can be told from the code around it.
    bool is_start(uint64_t address) const;

  private:
    std::optional<FunctionRange> unwind_entry_of(uint64_t address) const;
    bool is_behind_a_function(uint64_t address) const;

    const ElfFile &file_;
    uint64_t table_address_ = 0;
    uint64_t table_base_ = 0;
    uint64_t table_count_ = 0;
    // What is called or pointed to near the addresses learned, sorted; not all are functions.
    std::vector<uint64_t> candidates_;
};

} // namespace sightline
