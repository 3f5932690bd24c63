#include "code-search.h"

#include <algorithm>
#include <map>

namespace sightline {
namespace {

constexpr uint64_t kMaxPathBytes = 512;
// Instructions looked at around a use; compilers put a call's arguments within a few.
constexpr size_t kMaxDistance = 12;
constexpr size_t kMaxDepth = 4;

struct BackwardSearch {
    const std::vector<Instruction> &code;
    unsigned register_number;
    std::set<int64_t> found;
    std::set<size_t> seen;

    // Constants that the register may hold just before code[index].
    void before(size_t index, size_t depth) {
        if (depth > kMaxDepth || !seen.insert(index).second) {
            return;
        }
        size_t at = index;
        for (size_t steps = 0; steps < kMaxDistance; steps++) {
            jumps_to(code[at].address, depth);
            if (at == 0) {
                return;
            }
            const Instruction &previous = code[at - 1];
            if (previous.flow == Flow::jump || previous.flow == Flow::ret ||
                previous.flow == Flow::trap || previous.flow == Flow::call) {
                return;
            }
            if (previous.writes_register(register_number)) {
                if (previous.constant && previous.constant->first == register_number) {
                    found.insert(previous.constant->second);
                }
                return;
            }
            at--;
        }
    }

    void jumps_to(uint64_t address, size_t depth) {
        for (size_t i = 0; i < code.size(); i++) {
            const Flow flow = code[i].flow;
            if (code[i].target == address && (flow == Flow::jump || flow == Flow::conditional)) {
                before(i, depth + 1);
            }
        }
    }
};

} // namespace

const std::vector<std::string> &known_texts() {
    // In the order of KnownText.
    static const std::vector<std::string> texts = {
        "/ssl_lib.c",
        "ssl_read_internal",
        "ssl_write_internal",
        "/src/record_layer.rs",
        "/src/msgs/fragmenter.rs",
        "/tls12.rs",
        "/tls13.rs",
        "/src/crypto/cipher.rs",
        "OpenSSL ",
        "SSL_new",
        "/x509_vfy.c",
    };
    return texts;
}

std::vector<uint64_t> CodeSearch::places_of(KnownText text) const {
    std::vector<uint64_t> places;
    for (const TextHit &hit : hits) {
        if (hit.text == static_cast<uint32_t>(text)) {
            places.push_back(hit.address);
        }
    }
    return places;
}

std::optional<CodeSearch::CString> CodeSearch::c_string_around(uint64_t address) const {
    const Segment *segment = file.segment_of(address);
    if (segment == nullptr) {
        return std::nullopt;
    }
    const uint64_t before = std::min(kMaxPathBytes, address - segment->address);
    const std::vector<uint8_t> bytes = file.read_up_to(address - before, before + kMaxPathBytes);
    if (bytes.size() <= before) {
        return std::nullopt;
    }
    const auto middle = bytes.begin() + static_cast<ptrdiff_t>(before);
    const auto end = std::find(middle, bytes.end(), uint8_t{0});
    auto start = middle;
    while (start != bytes.begin() && *std::prev(start) != 0) {
        start--;
    }
    if (end == bytes.end() || (start == bytes.begin() && before == kMaxPathBytes)) {
        return std::nullopt;
    }
    return CString{address - static_cast<uint64_t>(middle - start), std::string(start, end)};
}

std::optional<unsigned> register_of_use(const Instruction &instruction, uint64_t address) {
    if (instruction.address_use && instruction.address_use->second == address) {
        return instruction.address_use->first;
    }
    if (instruction.constant && static_cast<uint32_t>(instruction.constant->second) == address) {
        return instruction.constant->first;
    }
    return std::nullopt;
}

std::vector<AddressUser> users_of(const CodeSearch &search,
                                  const std::vector<uint64_t> &addresses) {
    const std::set<uint64_t> wanted(addresses.begin(), addresses.end());
    std::map<uint64_t, std::pair<FunctionRange, std::vector<AddressUse>>> by_start;
    for (const AddressUse &use : search.uses) {
        const auto range =
            wanted.contains(use.target) ? search.starts.function_of(use.at) : std::nullopt;
        if (range) {
            by_start.try_emplace(range->start, *range, std::vector<AddressUse>{})
                .first->second.second.push_back(use);
        }
    }
    std::vector<AddressUser> users;
    for (const auto &[start, entry] : by_start) {
        const FunctionRange &range = entry.first;
        uint64_t last_use = start;
        for (const AddressUse &use : entry.second) {
            last_use = std::max(last_use, use.at);
        }
        AddressUser user{range,
                         range.has_unwind_entry
                             ? decode_range(search.file, start, range.end)
                             : decode_to_end_of_function(search.file, start, last_use, range.end),
                         {}};
        for (const AddressUse &use : entry.second) {
            // What the pass over the bytes saw counts only where decoding sees it, too.
            const auto at = std::lower_bound(
                user.code.begin(), user.code.end(), use.at,
                [](const Instruction &one, uint64_t address) { return one.address < address; });
            if (at != user.code.end() && at->address <= use.at + 1 &&
                register_of_use(*at, use.target)) {
                user.uses.emplace_back(at - user.code.begin(), use.target);
            }
        }
        if (!user.uses.empty()) {
            users.push_back(std::move(user));
        }
    }
    return users;
}

std::set<int64_t> constants_at(const std::vector<Instruction> &code, size_t index,
                               unsigned register_number) {
    // What comes behind decides, when the register is set there.
    for (size_t i = index; i < code.size() && i < index + kMaxDistance; i++) {
        if (code[i].constant && code[i].constant->first == register_number) {
            return {code[i].constant->second};
        }
        if (code[i].flow != Flow::next) {
            break;
        }
    }
    return constants_before(code, index, register_number);
}

std::set<int64_t> constants_before(const std::vector<Instruction> &code, size_t index,
                                   unsigned register_number) {
    BackwardSearch search{code, register_number, {}, {}};
    search.before(index, 0);
    return search.found;
}

bool calls(const std::vector<Instruction> &code, uint64_t target) {
    return std::any_of(code.begin(), code.end(), [=](const Instruction &instruction) {
        return instruction.target == target &&
               (instruction.flow == Flow::call || instruction.flow == Flow::jump);
    });
}

bool add_function(const ElfFile &file, const FunctionRequest &request, LocatedStack *stack) {
    const auto placement = place_probe(file, {request.address, request.end}, request.needs);
    const auto offset = file.offset_of(request.address);
    if (!placement || !offset) {
        return false;
    }
    stack->functions.push_back({
        .name = request.name,
        .signature = request.signature,
        .covers = {},
        .offset = *offset,
        .placement = *placement,
        .returns = {},
    });
    return true;
}

std::string hex(uint64_t value) {
    static const char kDigits[] = "0123456789abcdef";
    std::string text;
    do {
        text.insert(text.begin(), kDigits[value & 15]);
        value >>= 4;
    } while (value != 0);
    return "0x" + text;
}

} // namespace sightline
