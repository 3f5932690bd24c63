// Passes over the large parts of a file: constants for pieces of text, code for instructions that
// form an address. Reads in pieces that stay in the processor's cache, and looks at sixteen bytes
// at a time.
#pragma once

#include "elf-file.h"
#include "search-limits.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sightline {

enum class ScanEnd {
    complete,
    // The file could not be read, which happens when it shrinks.
    unreadable,
    // A limit was reached: what was found is not all.
    limit,
};

const char *text_of(ScanEnd end);

struct TextHit {
    // Index in the list of texts searched.
    uint32_t text;
    uint64_t address;
};

// Every occurrence of the texts (2 to 64 bytes each) in the constants: segments that are neither
// written nor run, and what lies beside the code where the linker has put it there.
ScanEnd find_texts(const ElfFile &file, const std::vector<std::string> &texts,
                   const SearchLimits &limits, const Deadline &deadline,
                   std::vector<TextHit> *hits);

// An instruction that puts an address into a register: `lea` relative to the instruction pointer,
// or `mov` of a 32-bit constant in a program that is not moved.
struct AddressUse {
    // Of the instruction, prefixes included.
    uint64_t at;
    uint64_t target;
};

// Every use of one of the targets, which are sorted.
ScanEnd find_address_uses(const ElfFile &file, const std::vector<uint64_t> &targets,
                          const SearchLimits &limits, const Deadline &deadline,
                          std::vector<AddressUse> *uses);

struct AddressRange {
    uint64_t first;
    // Not within.
    uint64_t end;
};

struct Branch {
    uint64_t at;
    uint64_t target;
    bool is_call;
};

// Everything that reads as a direct call or jump (E8, E9) into one of the ranges, which are sorted
// and do not overlap. Not decoded from any start, so some are parts of other instructions.
ScanEnd find_branches(const ElfFile &file, const std::vector<AddressRange> &ranges,
                      const SearchLimits &limits, const Deadline &deadline,
                      std::vector<Branch> *branches);

struct DataWord {
    uint64_t at;
    uint64_t value;
};

// Every aligned 64-bit word, in data and constants, with a value in one of the ranges, which are
// sorted and do not overlap.
ScanEnd find_words(const ElfFile &file, const std::vector<AddressRange> &ranges,
                   const SearchLimits &limits, const Deadline &deadline,
                   std::vector<DataWord> *words);

bool is_in_ranges(const std::vector<AddressRange> &ranges, uint64_t value);

// Sorts, and joins what overlaps.
std::vector<AddressRange> joined(std::vector<AddressRange> ranges);

} // namespace sightline
