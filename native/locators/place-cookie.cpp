#include "place-cookie.h"

#include "../../bpf/abi/place.h"
#include "instruction.h"

namespace sightline {
namespace {

constexpr int64_t kWordBytes = 8;
constexpr int64_t kWordsEnd = 1 << SL_PLACE_WORDS_BITS;
constexpr size_t kPartsMax = 2;
constexpr size_t kOperandsMax = 3;

std::optional<uint64_t> words_of(int64_t bytes) {
    const bool fits = bytes >= 0 && bytes % kWordBytes == 0 && bytes / kWordBytes < kWordsEnd;
    return fits ? std::optional(static_cast<uint64_t>(bytes / kWordBytes)) : std::nullopt;
}

std::string text_of(const ResultPart &part) {
    return part.register_number ? register_name(*part.register_number)
                                : "[rsp+" + std::to_string(part.stack_distance) + "]";
}

} // namespace

std::optional<KnownPlace> known_place(const ElfFile &file, const EntryPlace &place) {
    const auto offset = file.offset_of(place.address);
    const auto stack_words = words_of(place.stack_bytes);
    if (!offset || !stack_words || place.registers.size() > kOperandsMax) {
        return std::nullopt;
    }
    KnownPlace known{.offset = *offset,
                     .cookie = *stack_words << SL_PLACE_STACK_SHIFT,
                     .instruction = instruction_text_at(file, place.address),
                     .value = "",
                     .can_return_probe = place.can_return_probe};
    for (size_t i = 0; i < place.registers.size(); i++) {
        const uint64_t operand = place.registers[i] + 1;
        known.cookie |= operand << (SL_PLACE_OPERAND_SHIFT + i * SL_PLACE_OPERAND_BITS);
        known.value += (i == 0 ? "" : ", ") + register_name(place.registers[i]);
    }
    return known;
}

std::optional<KnownPlace> known_place(const ElfFile &file, const ResultPlace &place) {
    const auto offset = file.offset_of(place.address);
    const auto stack_words = words_of(place.stack_bytes);
    if (!offset || !stack_words || place.parts.size() > kPartsMax) {
        return std::nullopt;
    }
    KnownPlace known{.offset = *offset,
                     .cookie = *stack_words << SL_PLACE_STACK_SHIFT,
                     .instruction = instruction_text_at(file, place.address),
                     .value = ""};
    for (size_t i = 0; i < place.parts.size(); i++) {
        const ResultPart &part = place.parts[i];
        const auto distance = words_of(part.stack_distance);
        if (!distance) {
            return std::nullopt;
        }
        const uint64_t operand =
            part.register_number ? *part.register_number + 1 : uint64_t{SL_PLACE_ON_STACK};
        known.cookie |= operand << (SL_PLACE_OPERAND_SHIFT + i * SL_PLACE_OPERAND_BITS);
        known.cookie |= *distance << (SL_PLACE_DISTANCE_SHIFT + i * SL_PLACE_WORDS_BITS);
        known.value += (i == 0 ? "" : " + ") + text_of(part);
    }
    return known;
}

} // namespace sightline
