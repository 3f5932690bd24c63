// One 64-bit little-endian ELF file, opened for bounded reading.
// https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
//
// The file belongs to whoever is observed: no size, offset or count in it is trusted. It is read
// and not mapped, because a mapped file that shrinks kills its reader.
#pragma once

#include "../failure.h"

#include <cstdint>
#include <elf.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace sightline {

// A PT_LOAD segment's part that is in the file.
struct Segment {
    uint64_t address;
    uint64_t offset;
    uint64_t bytes;
    bool is_code;
    bool is_writable;

    bool holds(uint64_t of_address) const {
        return of_address >= address && of_address - address < bytes;
    }
};

struct Section {
    std::string name;
    Elf64_Shdr header;
};

// Of one file at one time: a cache may take two files with equal identities for the same.
struct FileIdentity {
    // Lower-case hex; empty when the file has none.
    std::string build_id;
    uint64_t size_bytes = 0;
    // Of the ELF and program headers: a program that others embed data into keeps its build id, but
    // not always its layout.
    uint64_t layout_digest = 0;
    // User id.
    uint32_t owner = 0;
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t modified_ns = 0;
};

class ElfFile {
  public:
    ElfFile() = default;
    ~ElfFile();
    ElfFile(const ElfFile &) = delete;
    ElfFile &operator=(const ElfFile &) = delete;

    // Codes: SL_ELF_OPEN, SL_ELF_NOT_ELF, SL_ELF_UNSUPPORTED, SL_ELF_MALFORMED, SL_ELF_TOO_LARGE.
    Outcome open(const std::string &path);
    // As open(), of a file that is open already and stays the caller's.
    Outcome open_descriptor(int descriptor, const std::string &name);

    const FileIdentity &identity() const {
        return identity_;
    }
    // PT_LOAD segments only.
    const std::vector<Segment> &segments() const {
        return segments_;
    }
    const std::vector<Section> &sections() const {
        return sections_;
    }
    const Section *section(std::string_view name) const;
    // The first program header of a type.
    const Elf64_Phdr *program_header(uint32_t type) const;
    // ET_EXEC: addresses in it are final.
    bool is_fixed() const {
        return header_.e_type == ET_EXEC;
    }

    bool holds(uint64_t offset, uint64_t bytes) const {
        return offset <= identity_.size_bytes && bytes <= identity_.size_bytes - offset;
    }
    // All or nothing.
    bool read(uint64_t offset, void *to, uint64_t bytes) const;
    // All or nothing, by address; within one segment.
    bool read_at(uint64_t address, void *to, uint64_t bytes) const;
    // At most `bytes`; fewer at the end of the segment. Empty when nothing is at the address.
    std::vector<uint8_t> read_up_to(uint64_t address, uint64_t bytes) const;
    template <typename T> std::optional<T> value_at(uint64_t address) const {
        T value;
        return read_at(address, &value, sizeof(value)) ? std::optional<T>(value) : std::nullopt;
    }

    const Segment *segment_of(uint64_t address) const;
    const Segment *code_segment_of(uint64_t address) const;
    std::optional<uint64_t> offset_of(uint64_t address) const;

    Failure fail(const char *code, const std::string &what) const {
        return Failure{code, name_ + " " + what};
    }

  private:
    Outcome read_header();
    Outcome read_program_headers(uint64_t count);
    Outcome read_sections(uint64_t count);
    void read_build_id();
    bool read_build_id_in(uint64_t offset, uint64_t bytes, uint64_t align);

    std::string name_;
    int descriptor_ = -1;
    bool is_own_ = false;
    FileIdentity identity_;
    Elf64_Ehdr header_{};
    std::vector<Elf64_Phdr> program_headers_;
    std::vector<Segment> segments_;
    std::vector<Section> sections_;
};

} // namespace sightline
