#include "jump-stubs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <elf.h>
#include <vector>

namespace sightline {
namespace {

constexpr std::array<uint8_t, 4> kEndbr64 = {0xf3, 0x0f, 0x1e, 0xfa};
constexpr uint8_t kBoundsPrefix = 0xf2;
constexpr std::array<uint8_t, 2> kJumpThroughMemory = {0xff, 0x25};
constexpr uint64_t kStubBytes = 16;
constexpr uint64_t kMaxRelocationBytes = 16 * 1024 * 1024;
constexpr uint64_t kMaxNameBytes = 256;

template <size_t size>
bool has_at(const std::vector<uint8_t> &bytes, size_t at, const std::array<uint8_t, size> &wanted) {
    return at + size <= bytes.size() &&
           std::equal(wanted.begin(), wanted.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}

} // namespace

std::string symbol_of_stub(const ElfFile &file, uint64_t address) {
    const std::vector<uint8_t> code = file.read_up_to(address, kStubBytes);
    size_t at = has_at(code, 0, kEndbr64) ? kEndbr64.size() : 0;
    at += at < code.size() && code[at] == kBoundsPrefix ? 1 : 0;
    int32_t distance = 0;
    const size_t end = at + kJumpThroughMemory.size() + sizeof(distance);
    if (!has_at(code, at, kJumpThroughMemory) || end > code.size()) {
        return "";
    }
    memcpy(&distance, code.data() + at + kJumpThroughMemory.size(), sizeof(distance));
    const uint64_t slot = address + end + static_cast<uint64_t>(static_cast<int64_t>(distance));
    const Section *relocations = file.section(".rela.plt");
    const Section *symbols = file.section(".dynsym");
    const Section *names = file.section(".dynstr");
    if (relocations == nullptr || symbols == nullptr || names == nullptr) {
        return "";
    }
    const std::vector<uint8_t> bytes =
        file.read_up_to(relocations->header.sh_addr,
                        std::min<uint64_t>(relocations->header.sh_size, kMaxRelocationBytes));
    for (size_t i = 0; i + sizeof(Elf64_Rela) <= bytes.size(); i += sizeof(Elf64_Rela)) {
        Elf64_Rela relocation;
        memcpy(&relocation, bytes.data() + i, sizeof(relocation));
        if (relocation.r_offset != slot || ELF64_R_TYPE(relocation.r_info) != R_X86_64_JUMP_SLOT) {
            continue;
        }
        const auto symbol = file.value_at<Elf64_Sym>(
            symbols->header.sh_addr + ELF64_R_SYM(relocation.r_info) * sizeof(Elf64_Sym));
        if (!symbol) {
            return "";
        }
        const std::vector<uint8_t> name =
            file.read_up_to(names->header.sh_addr + symbol->st_name, kMaxNameBytes);
        if (name.empty()) {
            return "";
        }
        const auto *text = reinterpret_cast<const char *>(name.data());
        return {text, strnlen(text, name.size())};
    }
    return "";
}

} // namespace sightline
