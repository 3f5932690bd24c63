#include "elf-file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace sightline {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "this machine's ELF type is not known"
#endif

// A large program of today has some 70 sections and 15 segments; `-ffunction-sections` is for
// object files, which cannot be probed.
constexpr uint64_t kMaxSegments = 1024;
constexpr uint64_t kMaxSections = 65536;
constexpr uint64_t kMaxSectionNamesBytes = 4 * 1024 * 1024;
constexpr size_t kMaxSectionName = 128;
constexpr uint64_t kMaxNotesBytes = 64 * 1024;

uint64_t digest_of(uint64_t digest, const void *bytes, size_t size) {
    // FNV-1a. https://datatracker.ietf.org/doc/html/rfc9923
    const auto *next = static_cast<const uint8_t *>(bytes);
    for (size_t i = 0; i < size; i++) {
        digest = (digest ^ next[i]) * 0x100000001b3ull;
    }
    return digest;
}

} // namespace

ElfFile::~ElfFile() {
    if (is_own_) {
        close(descriptor_);
    }
}

Outcome ElfFile::open(const std::string &path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        return Failure{"SL_ELF_OPEN", path + " cannot be opened (" + strerror(errno) + ")"};
    }
    is_own_ = true;
    return open_descriptor(descriptor, path);
}

Outcome ElfFile::open_descriptor(int descriptor, const std::string &name) {
    descriptor_ = descriptor;
    name_ = name;
    struct stat status;
    if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
        return fail("SL_ELF_OPEN", "is not a regular file");
    }
    identity_.size_bytes = static_cast<uint64_t>(status.st_size);
    identity_.owner = status.st_uid;
    identity_.device = status.st_dev;
    identity_.inode = status.st_ino;
    identity_.modified_ns =
        static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
    return read_header();
}

Outcome ElfFile::read_header() {
    if (!read(0, &header_, SELFMAG) || memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) {
        return fail("SL_ELF_NOT_ELF", "is not an ELF file: name the library or program itself");
    }
    if (!read(0, &header_, sizeof(header_))) {
        return fail("SL_ELF_MALFORMED",
                    "ends within its ELF header: it may still be being written");
    }
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB ||
        header_.e_machine != kMachine) {
        return fail("SL_ELF_UNSUPPORTED",
                    "is for another kind of machine than this one, and cannot be probed");
    }
    if (header_.e_type != ET_EXEC && header_.e_type != ET_DYN) {
        return fail("SL_ELF_UNSUPPORTED", "is neither a program nor a shared library");
    }
    if (header_.e_phnum > 0 && header_.e_phentsize != sizeof(Elf64_Phdr)) {
        return fail("SL_ELF_MALFORMED", "has program headers of an unknown size");
    }
    if (header_.e_shoff != 0 && header_.e_shentsize != sizeof(Elf64_Shdr)) {
        return fail("SL_ELF_MALFORMED", "has section headers of an unknown size");
    }
    uint64_t segment_count = header_.e_phnum;
    uint64_t section_count = header_.e_shoff == 0 ? 0 : header_.e_shnum;
    if (header_.e_shoff != 0 && (section_count == 0 || segment_count == PN_XNUM)) {
        // Counts that do not fit are in the first section's header.
        Elf64_Shdr first;
        if (!read(header_.e_shoff, &first, sizeof(first))) {
            return fail("SL_ELF_MALFORMED", "has its section headers beyond its end");
        }
        if (section_count == 0) {
            section_count = first.sh_size;
        }
        if (segment_count == PN_XNUM) {
            segment_count = first.sh_info;
        }
    }
    if (segment_count > kMaxSegments || section_count > kMaxSections) {
        return fail("SL_ELF_TOO_LARGE", "claims more segments or sections than any real file has");
    }
    Outcome failure = read_program_headers(segment_count);
    if (!failure) {
        failure = read_sections(section_count);
    }
    if (!failure) {
        read_build_id();
    }
    return failure;
}

Outcome ElfFile::read_program_headers(uint64_t count) {
    program_headers_.resize(count);
    const uint64_t bytes = count * sizeof(Elf64_Phdr);
    if (!read(header_.e_phoff, program_headers_.data(), bytes)) {
        program_headers_.clear();
        return fail("SL_ELF_MALFORMED", "has its program headers beyond its end");
    }
    const uint64_t digest = digest_of(0xcbf29ce484222325ull, &header_, sizeof(header_));
    identity_.layout_digest = digest_of(digest, program_headers_.data(), bytes);
    for (const Elf64_Phdr &program_header : program_headers_) {
        if (program_header.p_type != PT_LOAD) {
            continue;
        }
        if (!holds(program_header.p_offset, program_header.p_filesz)) {
            return fail("SL_ELF_MALFORMED",
                        "has a segment beyond its end: it is cut or still being written");
        }
        if (program_header.p_vaddr > UINT64_MAX - program_header.p_filesz) {
            return fail("SL_ELF_MALFORMED", "has a segment beyond the end of all addresses");
        }
        segments_.push_back({
            .address = program_header.p_vaddr,
            .offset = program_header.p_offset,
            .bytes = program_header.p_filesz,
            .is_code = (program_header.p_flags & PF_X) != 0,
            .is_writable = (program_header.p_flags & PF_W) != 0,
        });
    }
    return std::nullopt;
}

Outcome ElfFile::read_sections(uint64_t count) {
    std::vector<Elf64_Shdr> headers(count);
    if (!read(header_.e_shoff, headers.data(), count * sizeof(Elf64_Shdr))) {
        return fail("SL_ELF_MALFORMED",
                    "has its section headers beyond its end: it is cut or still being written");
    }
    uint64_t names_index = header_.e_shstrndx;
    if (names_index == SHN_XINDEX && count > 0) {
        names_index = headers[0].sh_link;
    }
    std::vector<char> names;
    if (names_index < count && headers[names_index].sh_type == SHT_STRTAB &&
        headers[names_index].sh_size <= kMaxSectionNamesBytes) {
        names.resize(headers[names_index].sh_size);
        if (!read(headers[names_index].sh_offset, names.data(), names.size())) {
            names.clear();
        }
    }
    sections_.reserve(count);
    for (const Elf64_Shdr &header : headers) {
        std::string name;
        if (header.sh_name < names.size()) {
            const size_t most = std::min(names.size() - header.sh_name, kMaxSectionName);
            name.assign(&names[header.sh_name], strnlen(&names[header.sh_name], most));
        }
        sections_.push_back({std::move(name), header});
    }
    return std::nullopt;
}

void ElfFile::read_build_id() {
    for (const Elf64_Phdr &program_header : program_headers_) {
        if (program_header.p_type == PT_NOTE &&
            read_build_id_in(program_header.p_offset, program_header.p_filesz,
                             program_header.p_align)) {
            return;
        }
    }
    // Some programs have the note in a section that no note segment covers.
    for (const Section &section : sections_) {
        if (section.header.sh_type == SHT_NOTE &&
            read_build_id_in(section.header.sh_offset, section.header.sh_size,
                             section.header.sh_addralign)) {
            return;
        }
    }
}

bool ElfFile::read_build_id_in(uint64_t offset, uint64_t bytes, uint64_t alignment) {
    if (bytes > kMaxNotesBytes) {
        return false;
    }
    std::vector<uint8_t> notes(bytes);
    if (!read(offset, notes.data(), notes.size())) {
        return false;
    }
    const uint64_t align = alignment == 8 ? 8 : 4;
    uint64_t at = 0;
    while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
        Elf64_Nhdr note;
        memcpy(&note, notes.data() + at, sizeof(note));
        // 32-bit sizes cannot overflow 64-bit sums.
        const uint64_t name_at = at + sizeof(note);
        const uint64_t text_at = (name_at + note.n_namesz + align - 1) & ~(align - 1);
        const uint64_t end = text_at + note.n_descsz;
        if (end > notes.size()) {
            return false;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes.data() + name_at, "GNU", 4) == 0 && note.n_descsz > 0 &&
            note.n_descsz <= 64) {
            static const char kHex[] = "0123456789abcdef";
            for (uint64_t i = text_at; i < end; i++) {
                identity_.build_id.push_back(kHex[notes[i] >> 4]);
                identity_.build_id.push_back(kHex[notes[i] & 15]);
            }
            return true;
        }
        at = (end + align - 1) & ~(align - 1);
    }
    return false;
}

const Section *ElfFile::section(std::string_view name) const {
    for (const Section &section : sections_) {
        if (section.name == name) {
            return &section;
        }
    }
    return nullptr;
}

const Elf64_Phdr *ElfFile::program_header(uint32_t type) const {
    for (const Elf64_Phdr &program_header : program_headers_) {
        if (program_header.p_type == type) {
            return &program_header;
        }
    }
    return nullptr;
}

bool ElfFile::read(uint64_t offset, void *to, uint64_t bytes) const {
    if (!holds(offset, bytes)) {
        return false;
    }
    auto *next = static_cast<uint8_t *>(to);
    while (bytes > 0) {
        const ssize_t got = pread(descriptor_, next, bytes, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        // 0: it shrank since it was opened.
        if (got <= 0) {
            return false;
        }
        next += got;
        offset += static_cast<uint64_t>(got);
        bytes -= static_cast<uint64_t>(got);
    }
    return true;
}

bool ElfFile::read_at(uint64_t address, void *to, uint64_t bytes) const {
    const Segment *segment = segment_of(address);
    if (segment == nullptr || bytes > segment->bytes - (address - segment->address)) {
        return false;
    }
    return read(segment->offset + (address - segment->address), to, bytes);
}

std::vector<uint8_t> ElfFile::read_up_to(uint64_t address, uint64_t bytes) const {
    const Segment *segment = segment_of(address);
    if (segment == nullptr) {
        return {};
    }
    const uint64_t within = address - segment->address;
    std::vector<uint8_t> found(std::min(bytes, segment->bytes - within));
    if (!read(segment->offset + within, found.data(), found.size())) {
        return {};
    }
    return found;
}

const Segment *ElfFile::segment_of(uint64_t address) const {
    for (const Segment &segment : segments_) {
        if (segment.holds(address)) {
            return &segment;
        }
    }
    return nullptr;
}

const Segment *ElfFile::code_segment_of(uint64_t address) const {
    for (const Segment &segment : segments_) {
        if (segment.is_code && segment.holds(address)) {
            return &segment;
        }
    }
    return nullptr;
}

std::optional<uint64_t> ElfFile::offset_of(uint64_t address) const {
    const Segment *segment = segment_of(address);
    if (segment == nullptr) {
        return std::nullopt;
    }
    return segment->offset + (address - segment->address);
}

} // namespace sightline
