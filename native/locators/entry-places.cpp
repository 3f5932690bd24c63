#include "entry-places.h"

#include <algorithm>

namespace sightline {
namespace {

// https://gitlab.com/x86-psABIs/x86-64-ABI: rbx, rsp, rbp and r12 to r15 are the caller's.
constexpr RegisterMask kKept = register_bit(kRbx) | register_bit(kRsp) | register_bit(kRbp) |
                               register_bit(12) | register_bit(13) | register_bit(14) |
                               register_bit(15);

bool is_outside(const std::vector<Instruction> &code, const Instruction &one) {
    return one.target && (*one.target < code.front().address || *one.target >= code.back().end());
}

// The registers that hold the arguments as they were given; empty where not all are held.
std::vector<unsigned> registers_with(ValueFlow *flow, size_t index,
                                     const std::vector<unsigned> &arguments) {
    std::vector<unsigned> registers;
    for (const unsigned argument : arguments) {
        const FlowValue wanted = flow->initial(argument);
        const auto &held = flow->at(index).registers;
        for (unsigned number = 0; number < held.size(); number++) {
            if (number != kRsp && held[number] == wanted) {
                registers.push_back(number);
                break;
            }
        }
    }
    return registers.size() == arguments.size() ? registers : std::vector<unsigned>{};
}

// Whether all that returns without one of the calls returns a constant that is not above 0.
bool fails_without(const std::vector<Instruction> &code, const std::vector<uint64_t> &calls) {
    const ValueFlow::Rules rules{
        .kept = kKept,
        .effect =
            [&](const Instruction &call) {
                return std::find(calls.begin(), calls.end(), call.address) != calls.end()
                           ? CallEffect::never_returns
                           : CallEffect::ordinary;
            },
    };
    const auto flow = ValueFlow::follow(code, rules);
    if (!flow) {
        return false;
    }
    for (size_t i = 0; i < code.size(); i++) {
        if (code[i].flow != Flow::ret || !flow->at(i).is_reached) {
            continue;
        }
        const auto returned = flow->constant(flow->at(i).registers[kRax]);
        if (!returned || *returned > 0) {
            return false;
        }
    }
    return true;
}

} // namespace

EntryPlaces find_entry_places(const std::vector<Instruction> &code,
                              const std::vector<unsigned> &arguments) {
    const ValueFlow::Rules rules{
        .kept = kKept, .effect = [](const Instruction &) { return CallEffect::ordinary; }};
    auto flow = ValueFlow::follow(code, rules);
    if (!flow) {
        return {};
    }
    EntryPlaces places;
    std::vector<size_t> indices;
    std::vector<uint64_t> calls;
    for (size_t i = 0; i < code.size(); i++) {
        const Instruction &one = code[i];
        if (!flow->at(i).is_reached) {
            continue;
        }
        const bool goes_on = flow->next(i).empty() && one.flow == Flow::next;
        const bool leaves = one.flow != Flow::call && is_outside(code, one);
        const bool is_tail_call = leaves && one.flow == Flow::jump && flow->at(i).stack_bytes == 0;
        const auto registers = registers_with(&*flow, i, arguments);
        // The end of the function is elsewhere, or it goes on with other arguments.
        if (goes_on || (leaves && (!is_tail_call || registers.empty()))) {
            return {};
        }
        const bool is_call = one.flow == Flow::call && one.target && !registers.empty();
        if ((!is_tail_call && !is_call) || !one.is_emulated) {
            continue;
        }
        indices.push_back(i);
        places.found.push_back({.address = one.address,
                                .stack_bytes = flow->at(i).stack_bytes,
                                .registers = registers,
                                .can_return_probe = is_tail_call});
        if (is_call) {
            calls.push_back(one.address);
        }
    }
    if (places.found.empty() || !fails_without(code, calls)) {
        return {};
    }
    std::vector<bool> is_behind_a_call(code.size(), false);
    for (const size_t index : indices) {
        const std::vector<bool> behind = flow->reached_behind(index, std::nullopt);
        for (const size_t other : indices) {
            if (behind[other]) {
                return {};
            }
        }
        for (size_t i = 0; i < code.size(); i++) {
            is_behind_a_call[i] = is_behind_a_call[i] || behind[i];
        }
    }
    for (size_t i = 0; i < code.size(); i++) {
        if (is_behind_a_call[i] && code[i].flow == Flow::ret) {
            places.returns.push_back(code[i].address);
        }
    }
    return places;
}

} // namespace sightline
