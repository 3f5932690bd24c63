// What the registers and the frame of a function hold at each of its instructions, as far as that
// can be told from its code alone: two places with the same value hold the same, whichever way the
// instruction was reached. https://en.wikipedia.org/wiki/Value_numbering
#pragma once

#include "instruction.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

namespace sightline {

// Two that are equal are the same number at run time; 0 is none.
using FlowValue = uint32_t;

// What holds at the beginning of an instruction.
struct FlowPoint {
    bool is_reached = false;
    // Bytes that the stack pointer is below its value at the function's entry.
    int64_t stack_bytes = 0;
    std::array<FlowValue, 16> registers{};
    // By the distance from the stack pointer at the entry: those that were written.
    std::map<int64_t, FlowValue> slots;

    bool operator==(const FlowPoint &) const = default;
};

// What a called function leaves as it was.
enum class CallEffect {
    // The registers in ValueFlow::Rules::kept, and the caller's frame.
    ordinary,
    keeps_registers,
    never_returns,
    writes_frame,
};

class ValueFlow {
  public:
    struct Rules {
        RegisterMask kept;
        std::function<CallEffect(const Instruction &)> effect;
    };

    // Nothing where the code jumps through a register, moves its stack pointer in a way that is not
    // followed, or is too long.
    static std::optional<ValueFlow> follow(const std::vector<Instruction> &code,
                                           const Rules &rules);

    const FlowPoint &at(size_t index) const {
        return points_[index];
    }
    // Where code[index] may go on to within the function; a jump back to its beginning, with which
    // it begins anew, is left out.
    const std::vector<size_t> &next(size_t index) const {
        return next_[index];
    }
    // Indices that are reached from the one or more instructions behind code[from], without going
    // through code[without].
    std::vector<bool> reached_behind(size_t from, std::optional<size_t> without) const;

    std::optional<int64_t> constant(FlowValue value) const;
    // The two parts of a sum.
    std::optional<std::pair<FlowValue, FlowValue>> parts(FlowValue value) const;
    // The register's value at the function's entry.
    FlowValue initial(unsigned register_number);
    // How far from the stack pointer at the entry a piece of memory of eight bytes is.
    std::optional<int64_t> slot_of(const FlowPoint &point, const Operand &operand) const;
    // Its address is somewhere else, too: whoever has that may write to it.
    bool is_shared(int64_t slot) const {
        return shared_.contains(slot);
    }

  private:
    enum class Kind : uint64_t { constant, initial, initial_slot, made, merged, sum, frame };
    using Key = std::tuple<Kind, uint64_t, uint64_t>;

    ValueFlow(const std::vector<Instruction> &code, const Rules &rules)
        : code_(code), rules_(rules), points_(code.size()), next_(code.size()),
          before_(code.size()) {
    }
    bool connect();
    bool settle();
    bool merge_at(size_t index, const std::vector<const FlowPoint *> &ways, FlowPoint *merged);
    bool run(size_t index, FlowPoint *point);
    void call(size_t index, FlowPoint *point);
    void forget_older(size_t index, FlowPoint *point);
    void store(size_t index, const Operand &to, FlowValue value, FlowPoint *point);
    FlowValue load(size_t index, const Operand &from, const FlowPoint &point);
    FlowValue slot_value(const FlowPoint &point, int64_t slot);
    FlowValue value(Kind kind, uint64_t first, uint64_t second);
    FlowValue sum(size_t index, FlowValue first, FlowValue second);
    void share(int64_t slot);
    bool depends_on(FlowValue value, Kind kind, size_t index) const;

    const std::vector<Instruction> &code_;
    const Rules &rules_;
    std::vector<FlowPoint> points_;
    std::vector<std::vector<size_t>> next_;
    std::vector<std::vector<size_t>> before_;
    std::map<Key, FlowValue> numbers_;
    std::vector<Key> keys_{Key{}};
    // Slots whose address is taken: others may write them.
    std::set<int64_t> shared_;
};

} // namespace sightline
