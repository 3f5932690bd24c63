// The addresses that a program which may be loaded anywhere holds in its data: in relocation
// entries with the value beside the place (.rela.dyn), and not in the place itself.
// https://refspecs.linuxfoundation.org/elf/x86_64-abi-0.99.pdf section 4.4
#pragma once

#include "byte-scan.h"
#include "elf-file.h"

#include <map>
#include <vector>

namespace sightline {

class Relocations {
  public:
    // Reads all relative entries, within the limits.
    ScanEnd read(const ElfFile &file, const SearchLimits &limits, const Deadline &deadline);

    // Place and value of each, in the file's order.
    const std::vector<DataWord> &entries() const {
        return entries_;
    }
    // The words at `address` and behind it as the program sees them: relocated, or from the file.
    std::vector<uint64_t> words_at(const ElfFile &file, uint64_t address, size_t count) const;

  private:
    std::vector<DataWord> entries_;
    std::vector<DataWord> by_place_;
};

} // namespace sightline
