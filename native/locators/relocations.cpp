#include "relocations.h"

#include <algorithm>
#include <cstring>

namespace sightline {
namespace {

constexpr uint64_t kMaxDynamicBytes = 64 * 1024;
constexpr uint64_t kMaxEntries = 8ull * 1024 * 1024;
constexpr uint64_t kEntriesAtOnce = 16 * 1024;

#if defined(__aarch64__)
constexpr uint32_t kRelative = R_AARCH64_RELATIVE;
#else
constexpr uint32_t kRelative = R_X86_64_RELATIVE;
#endif

} // namespace

ScanEnd Relocations::read(const ElfFile &file, const SearchLimits &, const Deadline &deadline) {
    const Elf64_Phdr *header = file.program_header(PT_DYNAMIC);
    if (header == nullptr) {
        return ScanEnd::complete;
    }
    const uint64_t bytes = std::min<uint64_t>(header->p_filesz, kMaxDynamicBytes);
    std::vector<Elf64_Dyn> dynamic(bytes / sizeof(Elf64_Dyn));
    if (!file.read(header->p_offset, dynamic.data(), dynamic.size() * sizeof(Elf64_Dyn))) {
        return ScanEnd::unreadable;
    }
    uint64_t table = 0;
    uint64_t table_bytes = 0;
    for (const Elf64_Dyn &entry : dynamic) {
        if (entry.d_tag == DT_NULL) {
            break;
        }
        if (entry.d_tag == DT_RELA) {
            table = entry.d_un.d_ptr;
        } else if (entry.d_tag == DT_RELASZ) {
            table_bytes = entry.d_un.d_val;
        }
    }
    const uint64_t count = table_bytes / sizeof(Elf64_Rela);
    if (count > kMaxEntries) {
        return ScanEnd::limit;
    }
    std::vector<Elf64_Rela> part(std::min(count, kEntriesAtOnce));
    for (uint64_t first = 0; first < count; first += part.size()) {
        if (deadline.has_passed()) {
            return ScanEnd::limit;
        }
        const uint64_t now = std::min<uint64_t>(count - first, part.size());
        if (!file.read_at(table + first * sizeof(Elf64_Rela), part.data(),
                          now * sizeof(Elf64_Rela))) {
            return ScanEnd::unreadable;
        }
        for (uint64_t i = 0; i < now; i++) {
            if (ELF64_R_TYPE(part[i].r_info) == kRelative) {
                entries_.push_back({part[i].r_offset, static_cast<uint64_t>(part[i].r_addend)});
            }
        }
    }
    by_place_ = entries_;
    const auto is_before = [](const DataWord &one, const DataWord &other) {
        return one.at < other.at;
    };
    if (!std::is_sorted(by_place_.begin(), by_place_.end(), is_before)) {
        std::sort(by_place_.begin(), by_place_.end(), is_before);
    }
    return ScanEnd::complete;
}

std::vector<uint64_t> Relocations::words_at(const ElfFile &file, uint64_t address,
                                            size_t count) const {
    const std::vector<uint8_t> bytes = file.read_up_to(address, count * sizeof(uint64_t));
    std::vector<uint64_t> words(bytes.size() / sizeof(uint64_t));
    if (words.empty()) {
        return words;
    }
    memcpy(words.data(), bytes.data(), words.size() * sizeof(uint64_t));
    auto entry =
        std::lower_bound(by_place_.begin(), by_place_.end(), address,
                         [](const DataWord &word, uint64_t place) { return word.at < place; });
    for (; entry != by_place_.end() && entry->at - address < words.size() * 8; entry++) {
        if ((entry->at - address) % 8 == 0) {
            words[(entry->at - address) / 8] = entry->value;
        }
    }
    return words;
}

} // namespace sightline
