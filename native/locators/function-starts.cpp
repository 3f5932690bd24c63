#include "function-starts.h"

#include <algorithm>

namespace sightline {
namespace {

// The header of .eh_frame_hdr, and the only encodings that linkers write.
struct UnwindHeader {
    uint8_t version;
    uint8_t frame_encoding;
    uint8_t count_encoding;
    uint8_t table_encoding;
    int32_t frame;
    uint32_t count;
} __attribute__((packed));

struct UnwindRow {
    int32_t function;
    int32_t entry;
};

constexpr uint8_t kUnsigned4 = 0x03;
constexpr uint8_t kHeaderRelativeSigned4 = 0x3b;
constexpr uint64_t kMaxUnwindRows = 64ull * 1024 * 1024;

// No function of a TLS library comes near it.
constexpr uint64_t kMaxFunctionBytes = 64 * 1024;
// From here back, decoding finds the true instruction boundaries: x86 code falls into step within a
// few instructions.
constexpr uint64_t kLeadInBytes = 64;
// One more than the longest instruction: one of the decodings begins at a true boundary.
constexpr uint64_t kPhases = 16;

uint64_t moved(uint64_t base, int32_t by) {
    return base + static_cast<uint64_t>(int64_t{by});
}

} // namespace

FunctionStarts::FunctionStarts(const ElfFile &file) : file_(file) {
    const Elf64_Phdr *segment = file.program_header(PT_GNU_EH_FRAME);
    if (segment == nullptr) {
        return;
    }
    const auto header = file.value_at<UnwindHeader>(segment->p_vaddr);
    if (!header || header->version != 1 || header->count_encoding != kUnsigned4 ||
        header->table_encoding != kHeaderRelativeSigned4 || header->count > kMaxUnwindRows) {
        return;
    }
    table_base_ = segment->p_vaddr;
    table_address_ = segment->p_vaddr + sizeof(UnwindHeader);
    table_count_ = header->count;
}

std::optional<FunctionRange> FunctionStarts::unwind_entry_of(uint64_t address) const {
    uint64_t low = 0;
    uint64_t high = table_count_;
    // The last row that does not begin behind the address.
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const auto row = file_.value_at<UnwindRow>(table_address_ + middle * sizeof(UnwindRow));
        if (!row) {
            return std::nullopt;
        }
        if (moved(table_base_, row->function) <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return std::nullopt;
    }
    const auto row = file_.value_at<UnwindRow>(table_address_ + (low - 1) * sizeof(UnwindRow));
    if (!row) {
        return std::nullopt;
    }
    const uint64_t start = moved(table_base_, row->function);
    const uint64_t entry = moved(table_base_, row->entry);
    // An entry's length, the distance to its common part, its function relative to the field, and
    // the function's size.
    struct Entry {
        uint32_t bytes;
        uint32_t common;
        int32_t function;
        uint32_t function_bytes;
    };
    const auto found = file_.value_at<Entry>(entry);
    if (!found || found->bytes == UINT32_MAX || moved(entry + 8, found->function) != start) {
        return std::nullopt;
    }
    if (address < start || address - start >= found->function_bytes) {
        return std::nullopt;
    }
    return FunctionRange{start, start + found->function_bytes, true};
}

ScanEnd FunctionStarts::learn(const std::vector<uint64_t> &addresses,
                              const std::vector<DataWord> &pointers, const SearchLimits &limits,
                              const Deadline &deadline) {
    std::vector<uint64_t> uncovered;
    for (const uint64_t address : addresses) {
        if (!unwind_entry_of(address)) {
            uncovered.push_back(address);
        }
    }
    std::vector<AddressRange> ranges;
    for (const uint64_t address : uncovered) {
        const Segment *segment = file_.code_segment_of(address);
        if (segment == nullptr) {
            continue;
        }
        const uint64_t before = std::min(kMaxFunctionBytes, address - segment->address);
        const uint64_t after =
            std::min(kMaxFunctionBytes, segment->bytes - (address - segment->address));
        ranges.push_back({address - before, address + after});
    }
    ranges = joined(std::move(ranges));
    if (ranges.empty()) {
        return ScanEnd::complete;
    }
    for (const DataWord &pointer : pointers) {
        if (is_in_ranges(ranges, pointer.value)) {
            candidates_.push_back(pointer.value);
        }
    }
    std::vector<Branch> branches;
    const ScanEnd end = find_branches(file_, ranges, limits, deadline, &branches);
    if (end != ScanEnd::complete) {
        return end;
    }
    for (const Branch &branch : branches) {
        if (branch.is_call) {
            candidates_.push_back(branch.target);
        }
    }
    std::sort(candidates_.begin(), candidates_.end());
    candidates_.erase(std::unique(candidates_.begin(), candidates_.end()), candidates_.end());
    return ScanEnd::complete;
}

// True when what is before the address cannot run into it: padding, a jump, a return or a trap.
// Decoded from several places, because the first few bytes of a decoding may be out of step.
bool FunctionStarts::is_behind_a_function(uint64_t address) const {
    const Segment *segment = file_.code_segment_of(address);
    if (segment == nullptr) {
        return false;
    }
    const uint64_t lead_in = std::min(kLeadInBytes, address - segment->address);
    if (lead_in == 0) {
        return true;
    }
    const std::vector<uint8_t> code = file_.read_up_to(address - lead_in, lead_in);
    if (code.size() < lead_in) {
        return false;
    }
    unsigned votes = 0;
    unsigned votes_for = 0;
    for (uint64_t skip = 0; skip < kPhases && (skip + kPhases < lead_in || skip == 0); skip++) {
        uint64_t at = skip;
        std::optional<InstructionShape> last;
        while (at < lead_in) {
            last = decode_shape(code.data() + at, lead_in - at);
            if (!last) {
                break;
            }
            at += last->size;
        }
        if (!last) {
            continue;
        }
        votes++;
        // A call at the very end is of a function that does not return; only what is aligned like a
        // function is taken for one then.
        const bool is_end = last->is_padding || last->flow == Flow::jump ||
                            last->flow == Flow::ret || last->flow == Flow::trap ||
                            (last->flow == Flow::call && address % 16 == 0);
        votes_for += is_end ? 1 : 0;
    }
    return votes > 0 && votes_for * 2 > votes;
}

bool FunctionStarts::is_start(uint64_t address) const {
    const auto entry = unwind_entry_of(address);
    return entry ? entry->start == address : is_behind_a_function(address);
}

std::optional<FunctionRange> FunctionStarts::function_of(uint64_t address) const {
    const auto entry = unwind_entry_of(address);
    if (entry) {
        return entry;
    }
    const Segment *segment = file_.code_segment_of(address);
    if (segment == nullptr) {
        return std::nullopt;
    }
    const auto after = std::upper_bound(candidates_.begin(), candidates_.end(), address);
    std::optional<uint64_t> start;
    for (auto at = after; at != candidates_.begin() && !start;) {
        at--;
        if (*at < segment->address || address - *at > kMaxFunctionBytes) {
            return std::nullopt;
        }
        if (is_behind_a_function(*at)) {
            start = *at;
        }
    }
    if (!start) {
        return std::nullopt;
    }
    const uint64_t segment_end = segment->address + segment->bytes;
    const uint64_t end = *start + std::min(kMaxFunctionBytes, segment_end - *start);
    return FunctionRange{*start, end, false};
}

} // namespace sightline
