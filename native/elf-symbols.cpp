#include "elf-symbols.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace sightline {
namespace {

constexpr uint64_t kMaxStringsBytes = 512ull * 1024 * 1024;
constexpr uint64_t kMaxSymbols = 32ull * 1024 * 1024;
constexpr size_t kSymbolsAtOnce = 16 * 1024;

// How much a symbol's name is worth against another of the same name.
enum class Rank { none, local, weak, global };

struct Candidate {
    FunctionSymbol symbol{};
    Rank rank = Rank::none;
    bool ambiguous = false;
};

Rank rank_of(const Elf64_Sym &symbol) {
    switch (ELF64_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
        return Rank::global;
    case STB_WEAK:
        return Rank::weak;
    default:
        return Rank::local;
    }
}

Outcome find_in(const ElfFile &file, const Elf64_Shdr &table, const std::vector<std::string> &names,
                std::map<std::string, FunctionSymbol> *symbols_found) {
    const std::vector<Section> &sections = file.sections();
    if (table.sh_entsize != sizeof(Elf64_Sym) || table.sh_link >= sections.size()) {
        return file.fail("SL_ELF_MALFORMED", "has a symbol table of an unknown shape");
    }
    const Elf64_Shdr &text = sections[table.sh_link].header;
    if (text.sh_type != SHT_STRTAB) {
        return file.fail("SL_ELF_MALFORMED", "has a symbol table without names");
    }
    const uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    if (count > kMaxSymbols || text.sh_size > kMaxStringsBytes) {
        return file.fail("SL_ELF_TOO_LARGE", "has more symbols than are searched");
    }
    if (!file.holds(table.sh_offset, table.sh_size) || !file.holds(text.sh_offset, text.sh_size)) {
        return file.fail("SL_ELF_MALFORMED",
                         "has symbols beyond its end: it is cut or still being written");
    }
    std::vector<char> strings(text.sh_size);
    if (!file.read(text.sh_offset, strings.data(), strings.size())) {
        return file.fail("SL_ELF_MALFORMED", "changed while it was read");
    }
    std::unordered_map<std::string_view, Candidate> found;
    size_t longest = 0;
    for (const std::string &name : names) {
        found.emplace(name, Candidate{});
        longest = std::max(longest, name.size());
    }
    std::vector<Elf64_Sym> symbols(std::min<uint64_t>(count, kSymbolsAtOnce));
    for (uint64_t first = 0; first < count; first += symbols.size()) {
        const uint64_t now = std::min<uint64_t>(count - first, symbols.size());
        if (!file.read(table.sh_offset + first * sizeof(Elf64_Sym), symbols.data(),
                       now * sizeof(Elf64_Sym))) {
            return file.fail("SL_ELF_MALFORMED", "changed while it was read");
        }
        for (uint64_t i = 0; i < now; i++) {
            const Elf64_Sym &symbol = symbols[i];
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
                symbol.st_name >= strings.size()) {
                continue;
            }
            const char *start = strings.data() + symbol.st_name;
            // One more than the longest name wanted is enough to tell a longer one apart.
            const size_t bound = std::min(strings.size() - symbol.st_name, longest + 1);
            const size_t length = strnlen(start, bound);
            if (length == bound) {
                continue;
            }
            const auto entry = found.find(std::string_view(start, length));
            if (entry == found.end()) {
                continue;
            }
            const Segment *segment = file.code_segment_of(symbol.st_value);
            if (segment == nullptr) {
                continue;
            }
            const uint64_t offset = segment->offset + (symbol.st_value - segment->address);
            const Rank rank = rank_of(symbol);
            Candidate &candidate = entry->second;
            if (rank > candidate.rank) {
                candidate = {{symbol.st_value, offset, symbol.st_size}, rank, false};
            } else if (rank == candidate.rank && offset != candidate.symbol.offset) {
                candidate.ambiguous = true;
            }
        }
    }
    for (const auto &[name, candidate] : found) {
        // Two functions of one name: which of them runs is not known, so neither is named.
        if (candidate.rank != Rank::none && !candidate.ambiguous) {
            symbols_found->emplace(std::string(name), candidate.symbol);
        }
    }
    return std::nullopt;
}

Outcome find(const ElfFile &file, uint32_t section_type, const std::vector<std::string> &names,
             std::map<std::string, FunctionSymbol> *symbols) {
    for (const Section &section : file.sections()) {
        if (section.header.sh_type != section_type) {
            continue;
        }
        Outcome failure = find_in(file, section.header, names, symbols);
        if (failure) {
            return failure;
        }
    }
    return std::nullopt;
}

} // namespace

Outcome find_function_symbols(const ElfFile &file, const std::vector<std::string> &names,
                              std::map<std::string, FunctionSymbol> *symbols) {
    // What the dynamic table says wins: those are the functions that are really called.
    Outcome failure = find(file, SHT_DYNSYM, names, symbols);
    if (!failure && symbols->size() < names.size()) {
        failure = find(file, SHT_SYMTAB, names, symbols);
    }
    return failure;
}

Outcome locate_symbols(const std::string &path, const std::vector<std::string> &names,
                       LocatedSymbols *located) {
    ElfFile file;
    Outcome failure = file.open(path);
    std::map<std::string, FunctionSymbol> symbols;
    if (!failure) {
        located->build_id = file.identity().build_id;
        failure = find_function_symbols(file, names, &symbols);
    }
    for (const auto &[name, symbol] : symbols) {
        located->offsets.emplace(name, symbol.offset);
    }
    return failure;
}

} // namespace sightline
