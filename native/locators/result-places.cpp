#include "result-places.h"

#include <algorithm>

namespace sightline {
namespace {

class Search {
  public:
    Search(const std::vector<Instruction> &code, const ResultRules &rules, ValueFlow flow)
        : code_(code), rules_(rules), flow_(std::move(flow)) {
    }

    std::vector<ResultPlace> places() {
        std::vector<size_t> chosen;
        std::vector<ResultPlace> found;
        for (;;) {
            std::optional<size_t> best;
            ResultPlace place;
            for (size_t i = 0; i < code_.size(); i++) {
                if (!code_[i].is_emulated || !flow_.at(i).is_reached ||
                    code_[i].address <= rules_.entry) {
                    continue;
                }
                const auto candidate = judge(i, chosen);
                // Of those that cover as many returns the last one on the way.
                if (candidate && (!best || candidate->covered.size() > place.covered.size() ||
                                  (candidate->covered.size() == place.covered.size() &&
                                   flow_.reached_behind(*best, std::nullopt)[i]))) {
                    best = i;
                    place = *candidate;
                }
            }
            if (!best) {
                return found;
            }
            chosen.push_back(*best);
            found.push_back(place);
        }
    }

  private:
    std::optional<ResultPlace> judge(size_t index, const std::vector<size_t> &chosen) {
        const std::vector<bool> behind = flow_.reached_behind(index, std::nullopt);
        if (behind[index]) {
            return std::nullopt;
        }
        for (const size_t other : chosen) {
            if (other == index || behind[other] ||
                flow_.reached_behind(other, std::nullopt)[index]) {
                return std::nullopt;
            }
        }
        const std::vector<bool> around = flow_.reached_behind(0, index);
        ResultPlace place;
        FlowValue result = 0;
        for (size_t i = 0; i < code_.size(); i++) {
            if (!behind[i]) {
                continue;
            }
            const bool leaves = code_[i].flow != Flow::ret && is_left_at(i);
            if (!rules_.may_follow(code_[i]) || leaves) {
                return std::nullopt;
            }
            if (code_[i].flow != Flow::ret) {
                continue;
            }
            const FlowValue returned = flow_.at(i).registers[rules_.result_register];
            if (around[i] || (result != 0 && returned != result)) {
                return std::nullopt;
            }
            result = returned;
            place.covered.push_back(code_[i].address);
        }
        if (result == 0 || flow_.constant(result) || !is_preceded(index)) {
            return std::nullopt;
        }
        place.address = code_[index].address;
        place.stack_bytes = flow_.at(index).stack_bytes;
        place.parts = parts_of(index, result, behind);
        return place.parts.empty() ? std::nullopt : std::optional(place);
    }

    // Jumps out of the function, without an end that is a return.
    bool is_left_at(size_t index) const {
        const bool jumps =
            code_[index].flow == Flow::jump || code_[index].flow == Flow::conditional;
        return jumps && code_[index].target &&
               (*code_[index].target < code_.front().address ||
                *code_[index].target >= code_.back().end());
    }

    bool is_preceded(size_t index) const {
        if (!rules_.must_precede) {
            return true;
        }
        for (size_t i = 0; i < code_.size(); i++) {
            if (flow_.at(i).is_reached && rules_.must_precede(code_[i]) &&
                flow_.reached_behind(i, std::nullopt)[index]) {
                return true;
            }
        }
        return false;
    }

    std::vector<ResultPart> parts_of(size_t index, FlowValue result,
                                     const std::vector<bool> &behind) const {
        const auto whole = part_of(index, result, behind);
        if (whole) {
            return {*whole};
        }
        const auto parts = flow_.parts(result);
        const auto first = parts ? part_of(index, parts->first, behind) : std::nullopt;
        const auto second = parts ? part_of(index, parts->second, behind) : std::nullopt;
        return first && second ? std::vector<ResultPart>{*first, *second}
                               : std::vector<ResultPart>{};
    }

    std::optional<ResultPart> part_of(size_t index, FlowValue wanted,
                                      const std::vector<bool> &behind) const {
        const FlowPoint &point = flow_.at(index);
        for (unsigned number = 0; number < point.registers.size(); number++) {
            if (number != kRsp && point.registers[number] == wanted) {
                return ResultPart{.register_number = number};
            }
        }
        // Only what the function itself reads again: below may be room that is a callee's.
        for (const auto &[slot, held] : point.slots) {
            if (held == wanted && !flow_.is_shared(slot) && is_read_behind(slot, wanted, behind)) {
                return ResultPart{.register_number = std::nullopt,
                                  .stack_distance = slot + point.stack_bytes};
            }
        }
        return std::nullopt;
    }

    bool is_read_behind(int64_t slot, FlowValue wanted, const std::vector<bool> &behind) const {
        for (size_t i = 0; i < code_.size(); i++) {
            if (!behind[i] || code_[i].operation != Operation::move) {
                continue;
            }
            const auto held = flow_.at(i).slots.find(slot);
            if (flow_.slot_of(flow_.at(i), code_[i].from) == slot && code_[i].from.bits == 64 &&
                held != flow_.at(i).slots.end() && held->second == wanted) {
                return true;
            }
        }
        return false;
    }

    const std::vector<Instruction> &code_;
    const ResultRules &rules_;
    const ValueFlow flow_;
};

} // namespace

ResultPlaces find_result_places(const std::vector<Instruction> &code, const ResultRules &rules) {
    auto flow = ValueFlow::follow(code, rules.flow);
    if (!flow) {
        return {{}, "what the function does with its stack cannot be followed"};
    }
    ResultPlaces places{Search(code, rules, std::move(*flow)).places(), ""};
    if (places.found.empty()) {
        places.reason = "no emulated instruction is passed once on the way to a return, with its "
                        "result known and everything done";
    }
    return places;
}

} // namespace sightline
