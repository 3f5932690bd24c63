#include "byte-scan.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <memory>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sightline {
namespace {

// Fits the second-level cache of any processor of the last ten years.
constexpr size_t kPieceBytes = 256 * 1024;
// Seen before and after each piece, so that nothing is missed where two meet.
constexpr size_t kMarginBytes = 64;
constexpr size_t kMaxHits = 1024 * 1024;

// Which of the 16 bytes at `at` a test holds for.
#if defined(__SSE2__)
struct Bytes16 {
    __m128i bytes;

    static Bytes16 load(const uint8_t *at) {
        return {_mm_loadu_si128(reinterpret_cast<const __m128i *>(at))};
    }
    __m128i equals(uint8_t value) const {
        return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(value)));
    }
    __m128i equals_masked(uint8_t mask, uint8_t value) const {
        return _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8(static_cast<char>(mask))),
                              _mm_set1_epi8(static_cast<char>(value)));
    }
};

uint32_t mask_of(__m128i matches) {
    return static_cast<uint32_t>(_mm_movemask_epi8(matches));
}

uint32_t pair_mask(const uint8_t *at, uint8_t first, uint8_t second) {
    return mask_of(
        _mm_and_si128(Bytes16::load(at).equals(first), Bytes16::load(at + 1).equals(second)));
}

// `lea`'s opcode, with a first and third byte that fit an address relative to the instruction
// pointer. Bit i: opcode at at[i].
uint32_t lea_mask(const uint8_t *at) {
    const __m128i opcode = Bytes16::load(at).equals(0x8d);
    const __m128i prefix = Bytes16::load(at - 1).equals_masked(0xfb, 0x48);
    const __m128i mode = Bytes16::load(at + 1).equals_masked(0xc7, 0x05);
    return mask_of(_mm_and_si128(_mm_and_si128(opcode, prefix), mode));
}

uint32_t masked_mask(const uint8_t *at, uint8_t mask, uint8_t value) {
    return mask_of(Bytes16::load(at).equals_masked(mask, value));
}
#else
template <typename Test> uint32_t each_of_16(const uint8_t *at, Test test) {
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 16; i++) {
        mask |= static_cast<uint32_t>(test(at + i)) << i;
    }
    return mask;
}

uint32_t pair_mask(const uint8_t *at, uint8_t first, uint8_t second) {
    return each_of_16(at, [=](const uint8_t *b) { return b[0] == first && b[1] == second; });
}

uint32_t lea_mask(const uint8_t *at) {
    return each_of_16(at, [](const uint8_t *b) {
        return b[0] == 0x8d && (b[-1] & 0xfb) == 0x48 && (b[1] & 0xc7) == 0x05;
    });
}

uint32_t masked_mask(const uint8_t *at, uint8_t mask, uint8_t value) {
    return each_of_16(at, [=](const uint8_t *b) { return (b[0] & mask) == value; });
}
#endif

struct Piece {
    // kMarginBytes before and kPieceBytes + kMarginBytes after may be read; what is outside the
    // segment is zero.
    const uint8_t *bytes;
    // Those to judge.
    size_t size;
    uint64_t address;
};

template <typename Visit>
ScanEnd for_each_piece(const ElfFile &file, const Segment &segment, uint64_t *bytes_left,
                       const Deadline &deadline, Visit visit) {
    // One more vector, because the last one read begins before the end of the piece.
    const size_t room = kMarginBytes + kPieceBytes + kMarginBytes + 16;
    const auto buffer = std::make_unique<uint8_t[]>(room);
    for (uint64_t done = 0; done < segment.bytes; done += kPieceBytes) {
        if (deadline.has_passed()) {
            return ScanEnd::limit;
        }
        const uint64_t size = std::min<uint64_t>(kPieceBytes, segment.bytes - done);
        if (size > *bytes_left) {
            return ScanEnd::limit;
        }
        *bytes_left -= size;
        const uint64_t before = std::min<uint64_t>(done, kMarginBytes);
        const uint64_t after = std::min<uint64_t>(segment.bytes - done - size, kMarginBytes);
        memset(buffer.get(), 0, kMarginBytes);
        uint8_t *start = buffer.get() + kMarginBytes;
        if (!file.read(segment.offset + done - before, start - before, before + size + after)) {
            return ScanEnd::unreadable;
        }
        memset(start + size + after, 0, room - kMarginBytes - size - after);
        if (!visit(Piece{start, static_cast<size_t>(size), segment.address + done})) {
            return ScanEnd::limit;
        }
    }
    return ScanEnd::complete;
}

template <typename Mask, typename Visit>
bool for_each_match(const Piece &piece, Mask mask_at, Visit visit) {
    for (size_t i = 0; i < piece.size; i += 16) {
        uint32_t mask = mask_at(piece.bytes + i);
        if (piece.size - i < 16) {
            mask &= (1u << (piece.size - i)) - 1;
        }
        for (; mask != 0; mask &= mask - 1) {
            if (!visit(i + static_cast<size_t>(std::countr_zero(mask)))) {
                return false;
            }
        }
    }
    return true;
}

int32_t displacement_at(const uint8_t *at) {
    int32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

// A filter in front of the binary search.
class TargetSet {
  public:
    explicit TargetSet(const std::vector<uint64_t> &sorted)
        : sorted_(sorted), lowest_(sorted.empty() ? 1 : sorted.front()),
          span_(sorted.empty() ? 0 : sorted.back() - sorted.front() + 1) {
    }
    bool has(uint64_t address) const {
        return address - lowest_ < span_ &&
               std::binary_search(sorted_.begin(), sorted_.end(), address);
    }
    bool is_below(uint64_t bound) const {
        return !sorted_.empty() && sorted_.front() < bound;
    }

  private:
    const std::vector<uint64_t> &sorted_;
    uint64_t lowest_;
    uint64_t span_;
};

template <typename Scan> ScanEnd for_each_code_segment(const ElfFile &file, Scan scan) {
    for (const Segment &segment : file.segments()) {
        if (segment.is_code) {
            const ScanEnd end = scan(segment);
            if (end != ScanEnd::complete) {
                return end;
            }
        }
    }
    return ScanEnd::complete;
}

// Where constants are: segments that are neither written nor run. Linkers that do not separate code
// (GNU ld before 2.31, gold) put them into the segment that is run, beside it.
std::vector<Segment> constant_segments(const ElfFile &file) {
    std::vector<Segment> found;
    for (const Segment &segment : file.segments()) {
        if (!segment.is_code && !segment.is_writable) {
            found.push_back(segment);
        }
    }
    const bool has_own_segment = !found.empty();
    const size_t before_sections = found.size();
    for (const Section &section : file.sections()) {
        const Elf64_Shdr &header = section.header;
        const Segment *segment = file.code_segment_of(header.sh_addr);
        if (segment == nullptr || header.sh_type != SHT_PROGBITS ||
            header.sh_flags & (SHF_EXECINSTR | SHF_WRITE) || !section.name.starts_with(".rodata")) {
            continue;
        }
        const uint64_t from_start = header.sh_addr - segment->address;
        Segment part = *segment;
        part.address = header.sh_addr;
        part.offset = segment->offset + from_start;
        part.bytes = std::min(header.sh_size, segment->bytes - from_start);
        found.push_back(part);
    }
    if (found.size() == before_sections && !has_own_segment) {
        std::copy_if(file.segments().begin(), file.segments().end(), std::back_inserter(found),
                     [](const Segment &segment) { return segment.is_code; });
    }
    return found;
}

} // namespace

const char *text_of(ScanEnd end) {
    switch (end) {
    case ScanEnd::complete:
        return "searched";
    case ScanEnd::unreadable:
        return "it changed while it was read";
    case ScanEnd::limit:
        return "it is larger or slower to search than the limits allow";
    }
    return "";
}

ScanEnd find_texts(const ElfFile &file, const std::vector<std::string> &texts,
                   const SearchLimits &limits, const Deadline &deadline,
                   std::vector<TextHit> *hits) {
    uint64_t bytes_left = limits.constants_bytes;
    for (const Segment &segment : constant_segments(file)) {
        const ScanEnd end =
            for_each_piece(file, segment, &bytes_left, deadline, [&](const Piece &piece) {
                const uint64_t in_segment = segment.bytes - (piece.address - segment.address);
                for (uint32_t t = 0; t < texts.size(); t++) {
                    const std::string &text = texts[t];
                    const auto first = static_cast<uint8_t>(text[0]);
                    const auto second = static_cast<uint8_t>(text[1]);
                    const bool has_room = for_each_match(
                        piece, [=](const uint8_t *at) { return pair_mask(at, first, second); },
                        [&](size_t i) {
                            if (in_segment - i >= text.size() &&
                                memcmp(piece.bytes + i, text.data(), text.size()) == 0) {
                                hits->push_back({t, piece.address + i});
                            }
                            return hits->size() < kMaxHits;
                        });
                    if (!has_room) {
                        return false;
                    }
                }
                return true;
            });
        if (end != ScanEnd::complete) {
            return end;
        }
    }
    return ScanEnd::complete;
}

ScanEnd find_address_uses(const ElfFile &file, const std::vector<uint64_t> &targets,
                          const SearchLimits &limits, const Deadline &deadline,
                          std::vector<AddressUse> *uses) {
    const TargetSet wanted(targets);
    const bool has_constants = file.is_fixed() && wanted.is_below(1ull << 32);
    uint64_t bytes_left = limits.code_bytes;
    return for_each_code_segment(file, [&](const Segment &segment) {
        return for_each_piece(file, segment, &bytes_left, deadline, [&](const Piece &piece) {
            // Found at its opcode, which one prefix comes before.
            const bool has_room = for_each_match(piece, lea_mask, [&](size_t i) {
                const uint64_t at = piece.address + i - 1;
                const uint64_t target =
                    at + 7 + static_cast<uint64_t>(int64_t{displacement_at(piece.bytes + i + 2)});
                if (wanted.has(target)) {
                    uses->push_back({at, target});
                }
                return uses->size() < kMaxHits;
            });
            if (!has_room || !has_constants) {
                return has_room;
            }
            return for_each_match(
                piece, [](const uint8_t *at) { return masked_mask(at, 0xf8, 0xb8); },
                [&](size_t i) {
                    const auto target = static_cast<uint32_t>(displacement_at(piece.bytes + i + 1));
                    if (wanted.has(target)) {
                        const bool has_prefix = piece.bytes[static_cast<ptrdiff_t>(i) - 1] == 0x41;
                        uses->push_back({piece.address + i - (has_prefix ? 1 : 0), target});
                    }
                    return uses->size() < kMaxHits;
                });
        });
    });
}

ScanEnd find_branches(const ElfFile &file, const std::vector<AddressRange> &ranges,
                      const SearchLimits &limits, const Deadline &deadline,
                      std::vector<Branch> *branches) {
    if (ranges.empty()) {
        return ScanEnd::complete;
    }
    const uint64_t lowest = ranges.front().first;
    const uint64_t span = ranges.back().end - lowest;
    uint64_t bytes_left = limits.code_bytes;
    return for_each_code_segment(file, [&](const Segment &segment) {
        return for_each_piece(file, segment, &bytes_left, deadline, [&](const Piece &piece) {
            return for_each_match(
                piece, [](const uint8_t *at) { return masked_mask(at, 0xfe, 0xe8); },
                [&](size_t i) {
                    const uint64_t at = piece.address + i;
                    const uint64_t target =
                        at + 5 +
                        static_cast<uint64_t>(int64_t{displacement_at(piece.bytes + i + 1)});
                    if (target - lowest >= span) {
                        return true;
                    }
                    if (is_in_ranges(ranges, target)) {
                        branches->push_back({at, target, piece.bytes[i] == 0xe8});
                    }
                    return branches->size() < kMaxHits;
                });
        });
    });
}

ScanEnd find_words(const ElfFile &file, const std::vector<AddressRange> &ranges,
                   const SearchLimits &limits, const Deadline &deadline,
                   std::vector<DataWord> *words) {
    if (ranges.empty()) {
        return ScanEnd::complete;
    }
    const uint64_t lowest = ranges.front().first;
    const uint64_t span = ranges.back().end - lowest;
    uint64_t bytes_left = limits.constants_bytes;
    // Constants that hold addresses are written once, by the loader, unless the program is never
    // moved.
    std::vector<Segment> searched =
        file.is_fixed() ? constant_segments(file) : std::vector<Segment>{};
    std::copy_if(file.segments().begin(), file.segments().end(), std::back_inserter(searched),
                 [](const Segment &segment) { return segment.is_writable && !segment.is_code; });
    for (const Segment &segment : searched) {
        const ScanEnd end =
            for_each_piece(file, segment, &bytes_left, deadline, [&](const Piece &piece) {
                for (size_t i = (8 - piece.address % 8) % 8; i < piece.size; i += 8) {
                    uint64_t value;
                    memcpy(&value, piece.bytes + i, sizeof(value));
                    if (value - lowest < span && is_in_ranges(ranges, value)) {
                        words->push_back({piece.address + i, value});
                        if (words->size() >= kMaxHits) {
                            return false;
                        }
                    }
                }
                return true;
            });
        if (end != ScanEnd::complete) {
            return end;
        }
    }
    return ScanEnd::complete;
}

bool is_in_ranges(const std::vector<AddressRange> &ranges, uint64_t value) {
    const auto after =
        std::upper_bound(ranges.begin(), ranges.end(), value,
                         [](uint64_t one, const AddressRange &range) { return one < range.first; });
    return after != ranges.begin() && value < std::prev(after)->end;
}

std::vector<AddressRange> joined(std::vector<AddressRange> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const AddressRange &one, const AddressRange &other) {
        return one.first < other.first;
    });
    std::vector<AddressRange> result;
    for (const AddressRange &range : ranges) {
        if (!result.empty() && range.first <= result.back().end) {
            result.back().end = std::max(result.back().end, range.end);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

} // namespace sightline
