#include "elf-symbols.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

namespace sightline {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "this machine's ELF type is not known"
#endif

// A large program of today has some 70 sections and 15 segments.
constexpr uint64_t kMaxHeaders = 65536;
constexpr uint64_t kMaxStringsBytes = 512ull * 1024 * 1024;
constexpr uint64_t kMaxSymbols = 32ull * 1024 * 1024;
constexpr uint64_t kMaxNotesBytes = 64 * 1024;
constexpr size_t kSymbolsAtOnce = 16 * 1024;

class File {
  public:
    explicit File(const std::string &path)
        : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)), error_(errno) {
    }
    ~File() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    bool is_open() const {
        return fd_ >= 0;
    }
    int error() const {
        return error_;
    }
    bool is_regular() {
        struct stat status;
        if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
            return false;
        }
        size_ = static_cast<uint64_t>(status.st_size);
        return true;
    }
    bool holds(uint64_t offset, uint64_t bytes) const {
        return offset <= size_ && bytes <= size_ - offset;
    }
    // All or nothing.
    bool read(uint64_t offset, void *to, uint64_t bytes) const {
        if (!holds(offset, bytes)) {
            return false;
        }
        auto *next = static_cast<uint8_t *>(to);
        while (bytes > 0) {
            const ssize_t got = pread(fd_, next, bytes, static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                return false;
            }
            next += got;
            offset += static_cast<uint64_t>(got);
            bytes -= static_cast<uint64_t>(got);
        }
        return true;
    }

  private:
    int fd_;
    int error_;
    uint64_t size_ = 0;
};

// How much a symbol's name is worth against another of the same name.
enum class Rank { none, local, weak, global };

struct Candidate {
    uint64_t offset = 0;
    Rank rank = Rank::none;
    bool ambiguous = false;
};

class Reader {
  public:
    Reader(const std::string &path, const File &file) : path_(path), file_(file) {
    }

    Outcome read_headers();
    Outcome read_build_id(std::string *build_id) const;
    Outcome find(uint32_t section_type, const std::vector<std::string> &names,
                 std::map<std::string, uint64_t> *offsets) const;

  private:
    Failure fail(const char *code, const std::string &what) const {
        return Failure{code, path_ + " " + what};
    }
    bool file_offset_of(uint64_t address, uint64_t *offset) const;
    Outcome find_in(const Elf64_Shdr &table, const std::vector<std::string> &names,
                    std::map<std::string, uint64_t> *offsets) const;

    const std::string &path_;
    const File &file_;
    std::vector<Elf64_Phdr> segments_;
    std::vector<Elf64_Shdr> sections_;
};

Outcome Reader::read_headers() {
    Elf64_Ehdr header;
    if (!file_.read(0, &header, SELFMAG) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return fail("SL_ELF_NOT_ELF", "is not an ELF file: name the library or program itself");
    }
    if (!file_.read(0, &header, sizeof(header))) {
        return fail("SL_ELF_MALFORMED",
                    "ends within its ELF header: it may still be being written");
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != kMachine) {
        return fail("SL_ELF_UNSUPPORTED",
                    "is for another kind of machine than this one, and cannot be probed");
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        return fail("SL_ELF_UNSUPPORTED", "is neither a program nor a shared library");
    }
    if (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)) {
        return fail("SL_ELF_MALFORMED", "has program headers of an unknown size");
    }
    if (header.e_shoff != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) {
        return fail("SL_ELF_MALFORMED", "has section headers of an unknown size");
    }
    uint64_t segment_count = header.e_phnum;
    uint64_t section_count = header.e_shoff == 0 ? 0 : header.e_shnum;
    if (header.e_shoff != 0 && (section_count == 0 || segment_count == PN_XNUM)) {
        // Counts that do not fit are in the first section's header.
        Elf64_Shdr first;
        if (!file_.read(header.e_shoff, &first, sizeof(first))) {
            return fail("SL_ELF_MALFORMED", "has its section headers beyond its end");
        }
        if (section_count == 0) {
            section_count = first.sh_size;
        }
        if (segment_count == PN_XNUM) {
            segment_count = first.sh_info;
        }
    }
    if (segment_count > kMaxHeaders || section_count > kMaxHeaders) {
        return fail("SL_ELF_TOO_LARGE", "claims more segments or sections than any real file has");
    }
    segments_.resize(segment_count);
    if (!file_.read(header.e_phoff, segments_.data(), segment_count * sizeof(Elf64_Phdr))) {
        segments_.clear();
        return fail("SL_ELF_MALFORMED", "has its program headers beyond its end");
    }
    sections_.resize(section_count);
    if (!file_.read(header.e_shoff, sections_.data(), section_count * sizeof(Elf64_Shdr))) {
        sections_.clear();
        return fail("SL_ELF_MALFORMED",
                    "has its section headers beyond its end: it is cut or still being written");
    }
    return std::nullopt;
}

Outcome Reader::read_build_id(std::string *build_id) const {
    for (const Elf64_Phdr &segment : segments_) {
        if (segment.p_type != PT_NOTE) {
            continue;
        }
        if (segment.p_filesz > kMaxNotesBytes) {
            continue;
        }
        std::vector<uint8_t> notes(segment.p_filesz);
        if (!file_.read(segment.p_offset, notes.data(), notes.size())) {
            return fail("SL_ELF_MALFORMED", "has a note segment beyond its end");
        }
        const uint64_t align = segment.p_align == 8 ? 8 : 4;
        uint64_t at = 0;
        while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
            Elf64_Nhdr note;
            memcpy(&note, notes.data() + at, sizeof(note));
            // 32-bit sizes cannot overflow 64-bit sums.
            const uint64_t name_at = at + sizeof(note);
            const uint64_t text_at = (name_at + note.n_namesz + align - 1) & ~(align - 1);
            const uint64_t end = text_at + note.n_descsz;
            if (end > notes.size()) {
                break;
            }
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                memcmp(notes.data() + name_at, "GNU", 4) == 0 && note.n_descsz <= 64) {
                static const char kHex[] = "0123456789abcdef";
                for (uint64_t i = text_at; i < end; i++) {
                    build_id->push_back(kHex[notes[i] >> 4]);
                    build_id->push_back(kHex[notes[i] & 15]);
                }
                return std::nullopt;
            }
            at = (end + align - 1) & ~(align - 1);
        }
    }
    return std::nullopt;
}

bool Reader::file_offset_of(uint64_t address, uint64_t *offset) const {
    for (const Elf64_Phdr &segment : segments_) {
        if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) {
            continue;
        }
        if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) {
            continue;
        }
        const uint64_t within = address - segment.p_vaddr;
        if (!file_.holds(segment.p_offset, within) || !file_.holds(segment.p_offset + within, 1)) {
            return false;
        }
        *offset = segment.p_offset + within;
        return true;
    }
    return false;
}

Outcome Reader::find(uint32_t section_type, const std::vector<std::string> &names,
                     std::map<std::string, uint64_t> *offsets) const {
    for (const Elf64_Shdr &section : sections_) {
        if (section.sh_type != section_type) {
            continue;
        }
        Outcome failure = find_in(section, names, offsets);
        if (failure) {
            return failure;
        }
    }
    return std::nullopt;
}

Outcome Reader::find_in(const Elf64_Shdr &table, const std::vector<std::string> &names,
                        std::map<std::string, uint64_t> *offsets) const {
    if (table.sh_entsize != sizeof(Elf64_Sym) || table.sh_link >= sections_.size()) {
        return fail("SL_ELF_MALFORMED", "has a symbol table of an unknown shape");
    }
    const Elf64_Shdr &text = sections_[table.sh_link];
    if (text.sh_type != SHT_STRTAB) {
        return fail("SL_ELF_MALFORMED", "has a symbol table without names");
    }
    const uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    if (count > kMaxSymbols || text.sh_size > kMaxStringsBytes) {
        return fail("SL_ELF_TOO_LARGE", "has more symbols than are searched");
    }
    if (!file_.holds(table.sh_offset, table.sh_size) ||
        !file_.holds(text.sh_offset, text.sh_size)) {
        return fail("SL_ELF_MALFORMED",
                    "has symbols beyond its end: it is cut or still being written");
    }
    std::vector<char> strings(text.sh_size);
    if (!file_.read(text.sh_offset, strings.data(), strings.size())) {
        return fail("SL_ELF_MALFORMED", "changed while it was read");
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
        if (!file_.read(table.sh_offset + first * sizeof(Elf64_Sym), symbols.data(),
                        now * sizeof(Elf64_Sym))) {
            return fail("SL_ELF_MALFORMED", "changed while it was read");
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
            uint64_t offset = 0;
            if (!file_offset_of(symbol.st_value, &offset)) {
                continue;
            }
            const unsigned bind = ELF64_ST_BIND(symbol.st_info);
            const Rank rank = bind == STB_GLOBAL ? Rank::global
                              : bind == STB_WEAK ? Rank::weak
                                                 : Rank::local;
            Candidate &candidate = entry->second;
            if (rank > candidate.rank) {
                candidate = {offset, rank, false};
            } else if (rank == candidate.rank && offset != candidate.offset) {
                candidate.ambiguous = true;
            }
        }
    }
    for (const auto &[name, candidate] : found) {
        // Two functions of one name: which of them runs is not known, so neither is named.
        if (candidate.rank != Rank::none && !candidate.ambiguous) {
            offsets->emplace(std::string(name), candidate.offset);
        }
    }
    return std::nullopt;
}

} // namespace

Outcome locate_symbols(const std::string &path, const std::vector<std::string> &names,
                       LocatedSymbols *located) {
    File file(path);
    if (!file.is_open()) {
        return Failure{"SL_ELF_OPEN", path + " cannot be opened (" + strerror(file.error()) + ")"};
    }
    if (!file.is_regular()) {
        return Failure{"SL_ELF_OPEN", path + " is not a regular file"};
    }
    Reader reader(path, file);
    Outcome failure = reader.read_headers();
    if (!failure) {
        failure = reader.read_build_id(&located->build_id);
    }
    // What the dynamic table says wins: those are the functions that are really called.
    if (!failure) {
        failure = reader.find(SHT_DYNSYM, names, &located->offsets);
    }
    if (!failure && located->offsets.size() < names.size()) {
        failure = reader.find(SHT_SYMTAB, names, &located->offsets);
    }
    return failure;
}

} // namespace sightline
