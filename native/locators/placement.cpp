#include "placement.h"

#include <algorithm>
#include <set>

namespace sightline {
namespace {

// What may be walked past in front of the probe. Longer prologues end in something else anyway.
constexpr size_t kMaxSkipped = 12;
constexpr uint64_t kMaxBodyBytes = 64 * 1024;
constexpr size_t kMaxSteps = 4096;

bool is_jumped_to(const std::vector<Instruction> &code, uint64_t after, uint64_t until) {
    return std::any_of(code.begin(), code.end(), [=](const Instruction &instruction) {
        return instruction.target && instruction.flow != Flow::call &&
               *instruction.target > after && *instruction.target <= until;
    });
}

std::string reason_against(const Instruction &instruction, const ProbeNeeds &needs) {
    if (instruction.flow != Flow::next) {
        return "a jump or return that is not emulated comes first";
    }
    if ((instruction.writes & needs.arguments) != 0) {
        return "the arguments are overwritten first";
    }
    if (needs.wants_return && instruction.writes_register(kRsp)) {
        return "the stack pointer moves first";
    }
    return "";
}

} // namespace

std::vector<Instruction> decode_function(const ElfFile &file, const FunctionBody &body) {
    const uint64_t most =
        body.start > UINT64_MAX - kMaxBodyBytes ? UINT64_MAX : body.start + kMaxBodyBytes;
    return body.end > body.start ? decode_range(file, body.start, std::min(body.end, most))
                                 : decode_to_end_of_function(file, body.start, body.start, most);
}

RegisterMask live_registers(const std::vector<Instruction> &code) {
    struct Path {
        size_t index;
        RegisterMask written;
    };
    RegisterMask live = 0;
    std::vector<Path> paths{{0, 0}};
    std::set<std::pair<size_t, RegisterMask>> seen;
    for (size_t steps = 0; !paths.empty() && steps < kMaxSteps; steps++) {
        Path path = paths.back();
        paths.pop_back();
        if (path.index >= code.size() || !seen.emplace(path.index, path.written).second) {
            continue;
        }
        const Instruction &instruction = code[path.index];
        live |= instruction.reads & ~path.written;
        path.written |= instruction.writes;
        const bool goes_on =
            instruction.flow == Flow::next || instruction.flow == Flow::conditional;
        if (goes_on) {
            paths.push_back({path.index + 1, path.written});
        }
        if (instruction.target && instruction.flow != Flow::call) {
            const auto at = std::lower_bound(
                code.begin(), code.end(), *instruction.target,
                [](const Instruction &other, uint64_t target) { return other.address < target; });
            if (at != code.end() && at->address == *instruction.target) {
                paths.push_back({static_cast<size_t>(at - code.begin()), path.written});
            }
        }
    }
    return live;
}

std::optional<Placement> place_probe(const ElfFile &file, const FunctionBody &body,
                                     const ProbeNeeds &needs) {
    const Segment *segment = file.code_segment_of(body.start);
    if (segment == nullptr) {
        return std::nullopt;
    }
    Placement placement;
    placement.address = body.start;
    placement.offset = segment->offset + (body.start - segment->address);
    placement.chosen = "entry";
    placement.can_return_probe = true;
#if !defined(__x86_64__)
    placement.why = "this machine's instructions are not decoded";
    return placement;
#else
    const std::vector<Instruction> code = decode_function(file, body);
    if (code.empty()) {
        return std::nullopt;
    }
    placement.instruction = instruction_text_at(file, body.start);
    placement.why = "nothing emulated comes soon enough";
    bool is_only_endbr = true;
    bool has_stack_moved = false;
    for (size_t i = 0; i < code.size() && i <= kMaxSkipped; i++) {
        const Instruction &instruction = code[i];
        if (instruction.is_emulated) {
            if (i == 0) {
                placement.is_emulated = true;
                placement.why = "its first instruction is emulated";
                return placement;
            }
            if (is_jumped_to(code, body.start, instruction.address)) {
                placement.why = "the function jumps back into its first instructions";
                return placement;
            }
            placement.offset += instruction.address - placement.address;
            placement.address = instruction.address;
            placement.chosen = is_only_endbr ? "after-endbr64" : "past-start";
            placement.why = is_only_endbr
                                ? "endbr64 would be single-stepped; what follows is emulated"
                                : "the first emulated instruction, with the arguments untouched";
            placement.instruction = instruction_text_at(file, instruction.address);
            placement.is_emulated = true;
            placement.can_return_probe = !has_stack_moved;
            return placement;
        }
        const std::string against = reason_against(instruction, needs);
        if (!against.empty()) {
            placement.why = against;
            return placement;
        }
        is_only_endbr = is_only_endbr && instruction.is_endbr;
        has_stack_moved = has_stack_moved || instruction.writes_register(kRsp);
    }
    return placement;
#endif
}

} // namespace sightline
