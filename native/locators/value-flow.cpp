#include "value-flow.h"

#include <algorithm>

namespace sightline {
namespace {

constexpr size_t kMaxInstructions = 4096;
constexpr size_t kMaxSweeps = 64;
constexpr uint64_t kSlotNames = 1ull << 32;
constexpr uint64_t kOlderNames = 1ull << 33;
constexpr int64_t kWordBytes = 8;
// What is taken for a variable whose address is taken.
constexpr int64_t kSharedBytes = 64;

uint64_t name_of_slot(int64_t slot) {
    return kSlotNames + static_cast<uint32_t>(slot);
}

} // namespace

std::optional<ValueFlow> ValueFlow::follow(const std::vector<Instruction> &code,
                                           const Rules &rules) {
    if (code.empty() || code.size() > kMaxInstructions) {
        return std::nullopt;
    }
    ValueFlow flow(code, rules);
    if (!flow.connect() || !flow.settle()) {
        return std::nullopt;
    }
    return flow;
}

bool ValueFlow::connect() {
    for (size_t i = 0; i < code_.size(); i++) {
        const Instruction &instruction = code_[i];
        const bool returns = instruction.flow != Flow::call ||
                             rules_.effect(instruction) != CallEffect::never_returns;
        const bool goes_on = instruction.flow == Flow::next ||
                             instruction.flow == Flow::conditional ||
                             (instruction.flow == Flow::call && returns);
        if (goes_on && i + 1 < code_.size()) {
            next_[i].push_back(i + 1);
        }
        const bool jumps = instruction.flow == Flow::jump || instruction.flow == Flow::conditional;
        if (jumps && !instruction.target) {
            return false;
        }
        if (jumps && *instruction.target != code_.front().address) {
            const auto at = std::lower_bound(
                code_.begin(), code_.end(), *instruction.target,
                [](const Instruction &other, uint64_t target) { return other.address < target; });
            const bool is_within = *instruction.target > code_.front().address &&
                                   *instruction.target < code_.back().end();
            if (is_within && (at == code_.end() || at->address != *instruction.target)) {
                return false;
            }
            if (is_within) {
                next_[i].push_back(static_cast<size_t>(at - code_.begin()));
            }
        }
        for (const size_t to : next_[i]) {
            before_[to].push_back(i);
        }
    }
    return true;
}

// Every instruction's point follows from what those before it leave; until nothing changes.
bool ValueFlow::settle() {
    std::vector<FlowPoint> left(code_.size());
    FlowPoint entry;
    entry.is_reached = true;
    for (unsigned i = 0; i < entry.registers.size(); i++) {
        entry.registers[i] = value(Kind::initial, i, 0);
    }
    for (size_t sweep = 0; sweep < kMaxSweeps; sweep++) {
        const size_t shared_before = shared_.size();
        bool has_changed = false;
        for (size_t i = 0; i < code_.size(); i++) {
            std::vector<const FlowPoint *> ways;
            if (i == 0) {
                ways.push_back(&entry);
            }
            for (const size_t from : before_[i]) {
                if (left[from].is_reached) {
                    ways.push_back(&left[from]);
                }
            }
            if (ways.empty()) {
                continue;
            }
            FlowPoint point;
            if (!merge_at(i, ways, &point)) {
                return false;
            }
            if (sweep > 0 && point == points_[i] && shared_.size() == shared_before) {
                continue;
            }
            has_changed = true;
            points_[i] = point;
            if (!run(i, &point)) {
                return false;
            }
            left[i] = std::move(point);
        }
        if (!has_changed && shared_.size() == shared_before) {
            return true;
        }
    }
    return false;
}

// What is the same on all ways stays; what is not has a value of this place, the same for all that
// agree on every way.
bool ValueFlow::merge_at(size_t index, const std::vector<const FlowPoint *> &ways,
                         FlowPoint *merged) {
    *merged = *ways.front();
    if (ways.size() == 1) {
        return true;
    }
    std::map<std::vector<FlowValue>, FlowValue> agreed;
    std::vector<FlowValue> values(ways.size());
    const auto merge = [&](uint64_t name) {
        const bool is_same = std::all_of(values.begin(), values.end(),
                                         [&](FlowValue one) { return one == values.front(); });
        if (is_same && !depends_on(values.front(), Kind::merged, index)) {
            return values.front();
        }
        const auto found = agreed.find(values);
        return found != agreed.end()
                   ? found->second
                   : agreed.emplace(values, value(Kind::merged, index, name)).first->second;
    };
    for (const FlowPoint *way : ways) {
        if (way->stack_bytes != merged->stack_bytes) {
            return false;
        }
        for (const auto &[slot, of_way] : way->slots) {
            merged->slots.try_emplace(slot, 0);
        }
    }
    for (unsigned number = 0; number < merged->registers.size(); number++) {
        for (size_t i = 0; i < ways.size(); i++) {
            values[i] = ways[i]->registers[number];
        }
        merged->registers[number] = merge(number);
    }
    for (auto &[slot, of_slot] : merged->slots) {
        for (size_t i = 0; i < ways.size(); i++) {
            values[i] = slot_value(*ways[i], slot);
        }
        of_slot = merge(name_of_slot(slot));
    }
    return true;
}

// Turns what holds before code[index] into what holds behind it.
bool ValueFlow::run(size_t index, FlowPoint *point) {
    const Instruction &one = code_[index];
    using OperandKind = Operand::Kind;
    if (one.flow == Flow::call) {
        forget_older(index, point);
        call(index, point);
        return true;
    }
    if (one.flow != Flow::next) {
        return true;
    }
    const bool is_to_register = one.to.kind == OperandKind::general_register;
    if (is_to_register && *one.to.number == kRsp) {
        const bool is_distance = one.from.kind == OperandKind::constant;
        if (one.operation == Operation::add && is_distance) {
            point->stack_bytes -= one.from.value;
            return true;
        }
        if (one.operation == Operation::subtract && is_distance) {
            point->stack_bytes += one.from.value;
            return true;
        }
        return false;
    }
    forget_older(index, point);
    switch (one.operation) {
    case Operation::push: {
        const FlowValue pushed = load(index, one.from, *point);
        point->stack_bytes += kWordBytes;
        point->slots[-point->stack_bytes] = pushed;
        return one.from.bits == 64 || one.from.kind == OperandKind::constant;
    }
    case Operation::pop: {
        const FlowValue popped = slot_value(*point, -point->stack_bytes);
        point->stack_bytes -= kWordBytes;
        if (!is_to_register || one.to.bits != 64) {
            return false;
        }
        point->registers[*one.to.number] = popped;
        return true;
    }
    case Operation::move: {
        const bool is_frame_address = one.from.kind == OperandKind::general_register &&
                                      *one.from.number == kRsp && is_to_register &&
                                      *one.to.number != kRbp;
        if (is_frame_address) {
            share(-point->stack_bytes);
        }
        const FlowValue moved = load(index, one.from, *point);
        if (!is_to_register) {
            store(index, one.to, moved, point);
            return true;
        }
        const auto number = constant(moved);
        if (one.to.bits == 64) {
            point->registers[*one.to.number] = moved;
        } else if (one.to.bits == 32 && number) {
            point->registers[*one.to.number] =
                value(Kind::constant, static_cast<uint32_t>(*number), 0);
        } else {
            point->registers[*one.to.number] = value(Kind::made, index, *one.to.number);
        }
        return true;
    }
    case Operation::add:
        if (is_to_register && one.to.bits == 64) {
            const FlowValue added = load(index, one.from, *point);
            FlowValue &held = point->registers[*one.to.number];
            held = sum(index, held, added);
            return true;
        }
        break;
    case Operation::load_address:
        if (is_to_register && one.to.bits == 64) {
            FlowValue &held = point->registers[*one.to.number];
            const auto slot = slot_of(*point, one.from);
            const bool is_sum = one.from.number && one.from.added && !one.from.is_scaled &&
                                one.from.value == 0 && *one.from.number != kRsp;
            if (slot) {
                share(*slot);
                held = value(Kind::frame, static_cast<uint64_t>(*slot), 0);
            } else if (is_sum) {
                held = sum(index, point->registers[*one.from.number],
                           point->registers[*one.from.added]);
            } else {
                held = value(Kind::made, index, *one.to.number);
            }
            return true;
        }
        break;
    default:
        break;
    }
    if (one.constant && one.constant->second == 0 && one.to.bits >= 32) {
        point->registers[one.constant->first] = value(Kind::constant, 0, 0);
        return true;
    }
    if (one.writes_register(kRsp)) {
        return false;
    }
    for (unsigned number = 0; number < point->registers.size(); number++) {
        if (one.writes_register(number)) {
            point->registers[number] = value(Kind::made, index, number);
        }
    }
    if (one.stores_elsewhere) {
        for (auto &[slot, of_slot] : point->slots) {
            of_slot = value(Kind::made, index, name_of_slot(slot));
        }
    }
    if (one.to.kind == OperandKind::memory) {
        store(index, one.to, 0, point);
    }
    return true;
}

void ValueFlow::share(int64_t slot) {
    for (int64_t at = slot; at < slot + kSharedBytes; at++) {
        shared_.insert(at);
    }
}

void ValueFlow::call(size_t index, FlowPoint *point) {
    const CallEffect effect = rules_.effect(code_[index]);
    for (unsigned number = 0; number < point->registers.size(); number++) {
        const bool is_kept =
            effect == CallEffect::keeps_registers || (rules_.kept & register_bit(number)) != 0;
        if (!is_kept) {
            point->registers[number] = value(Kind::made, index, number);
        }
    }
    // Where it returns to.
    point->slots[-point->stack_bytes - kWordBytes] =
        value(Kind::made, index, name_of_slot(-point->stack_bytes - kWordBytes));
    if (effect == CallEffect::writes_frame) {
        for (auto &[slot, of_slot] : point->slots) {
            of_slot = value(Kind::made, index, name_of_slot(slot));
        }
    }
}

// What an earlier run of the same instruction has made is not what this one makes.
void ValueFlow::forget_older(size_t index, FlowPoint *point) {
    for (unsigned number = 0; number < point->registers.size(); number++) {
        if (depends_on(point->registers[number], Kind::made, index)) {
            point->registers[number] = value(Kind::made, index, kOlderNames + number);
        }
    }
    for (auto &[slot, of_slot] : point->slots) {
        if (depends_on(of_slot, Kind::made, index)) {
            of_slot = value(Kind::made, index, kOlderNames + name_of_slot(slot));
        }
    }
}

// A value of 0 is one that is not known.
void ValueFlow::store(size_t index, const Operand &to, FlowValue stored, FlowPoint *point) {
    const auto slot = slot_of(*point, to);
    if (!slot) {
        return;
    }
    const int64_t bytes = std::max<int64_t>(to.bits / 8, 1);
    for (auto &[other, of_slot] : point->slots) {
        if (other < *slot + bytes && other + kWordBytes > *slot) {
            of_slot = value(Kind::made, index, name_of_slot(other));
        }
    }
    for (int64_t at = *slot; at < *slot + bytes; at += kWordBytes) {
        const bool is_whole = stored != 0 && bytes == kWordBytes;
        point->slots[at] = is_whole ? stored : value(Kind::made, index, name_of_slot(at));
    }
}

FlowValue ValueFlow::load(size_t index, const Operand &from, const FlowPoint &point) {
    if (from.kind == Operand::Kind::constant) {
        return value(Kind::constant, static_cast<uint64_t>(from.value), 0);
    }
    if (from.kind == Operand::Kind::general_register && (from.bits == 64 || from.bits == 32)) {
        if (*from.number == kRsp) {
            return from.bits == 64
                       ? value(Kind::frame, static_cast<uint64_t>(-point.stack_bytes), 0)
                       : value(Kind::made, index, kRsp);
        }
        const FlowValue held = point.registers[*from.number];
        return from.bits == 64 || constant(held) ? held : value(Kind::made, index, kSlotNames);
    }
    const auto slot = slot_of(point, from);
    if (slot && from.bits == 64 && !shared_.contains(*slot)) {
        return slot_value(point, *slot);
    }
    return value(Kind::made, index, kSlotNames);
}

std::optional<int64_t> ValueFlow::slot_of(const FlowPoint &point, const Operand &operand) const {
    if (operand.kind != Operand::Kind::memory || !operand.number || operand.added) {
        return std::nullopt;
    }
    if (*operand.number == kRsp) {
        return operand.value - point.stack_bytes;
    }
    const auto &[kind, distance, unused] = keys_[point.registers[*operand.number]];
    if (kind != Kind::frame) {
        return std::nullopt;
    }
    return static_cast<int64_t>(distance) + operand.value;
}

FlowValue ValueFlow::slot_value(const FlowPoint &point, int64_t slot) {
    const auto found = point.slots.find(slot);
    return found != point.slots.end() ? found->second
                                      : value(Kind::initial_slot, static_cast<uint64_t>(slot), 0);
}

FlowValue ValueFlow::value(Kind kind, uint64_t first, uint64_t second) {
    const Key key{kind, first, second};
    const auto [found, is_new] = numbers_.try_emplace(key, static_cast<FlowValue>(keys_.size()));
    if (is_new) {
        keys_.push_back(key);
    }
    return found->second;
}

// Of two, no more: that is what is asked for.
FlowValue ValueFlow::sum(size_t index, FlowValue first, FlowValue second) {
    const auto a = constant(first);
    const auto b = constant(second);
    if (a && b) {
        return value(Kind::constant, static_cast<uint64_t>(*a) + static_cast<uint64_t>(*b), 0);
    }
    if (a == 0) {
        return second;
    }
    if (b == 0) {
        return first;
    }
    if (parts(first) || parts(second)) {
        return value(Kind::made, index, kSlotNames);
    }
    return value(Kind::sum, std::min(first, second), std::max(first, second));
}

bool ValueFlow::depends_on(FlowValue of, Kind kind, size_t index) const {
    const auto &[own, first, second] = keys_[of];
    if (own == Kind::sum) {
        return depends_on(static_cast<FlowValue>(first), kind, index) ||
               depends_on(static_cast<FlowValue>(second), kind, index);
    }
    return of != 0 && own == kind && first == index;
}

FlowValue ValueFlow::initial(unsigned register_number) {
    return value(Kind::initial, register_number, 0);
}

std::optional<int64_t> ValueFlow::constant(FlowValue of) const {
    const auto &[kind, first, unused] = keys_[of];
    return of != 0 && kind == Kind::constant ? std::optional(static_cast<int64_t>(first))
                                             : std::nullopt;
}

std::optional<std::pair<FlowValue, FlowValue>> ValueFlow::parts(FlowValue of) const {
    const auto &[kind, first, second] = keys_[of];
    if (of == 0 || kind != Kind::sum) {
        return std::nullopt;
    }
    return std::pair(static_cast<FlowValue>(first), static_cast<FlowValue>(second));
}

std::vector<bool> ValueFlow::reached_behind(size_t from, std::optional<size_t> without) const {
    std::vector<bool> reached(code_.size(), false);
    std::vector<size_t> open(next_[from]);
    while (!open.empty()) {
        const size_t index = open.back();
        open.pop_back();
        if (index == without || reached[index]) {
            continue;
        }
        reached[index] = true;
        open.insert(open.end(), next_[index].begin(), next_[index].end());
    }
    return reached;
}

} // namespace sightline
