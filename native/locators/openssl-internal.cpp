#include "openssl-internal.h"

#include <algorithm>
#include <set>

namespace sightline {
namespace {

constexpr RegisterMask kFourArguments =
    register_bit(kRdi) | register_bit(kRsi) | register_bit(kRdx) | register_bit(kRcx);
constexpr RegisterMask kFiveArguments = kFourArguments | register_bit(kR8);
constexpr size_t kMaxArgumentDistance = 16;

struct Exported {
    std::vector<Instruction> code;
    std::set<uint64_t> called;
};

std::optional<Exported> read_exported(const ElfFile &file,
                                      const std::map<std::string, FunctionSymbol> &symbols,
                                      const char *name) {
    const auto symbol = symbols.find(name);
    if (symbol == symbols.end()) {
        return std::nullopt;
    }
    const uint64_t start = symbol->second.address;
    const uint64_t bytes = std::min<uint64_t>(symbol->second.bytes, UINT64_MAX - start);
    Exported exported{decode_function(file, {start, start + bytes}), {}};
    for (const Instruction &instruction : exported.code) {
        const bool leaves = instruction.flow == Flow::call || instruction.flow == Flow::jump;
        const bool is_within = instruction.target && *instruction.target >= start &&
                               *instruction.target - start < bytes;
        if (leaves && instruction.target && !is_within) {
            exported.called.insert(*instruction.target);
        }
    }
    return exported;
}

// Whether the exported function passes a place on its own stack for the number of bytes done.
bool passes_stack_address(const std::vector<Instruction> &code, uint64_t target,
                          unsigned register_number) {
    for (size_t i = 0; i < code.size(); i++) {
        if (code[i].flow != Flow::call || code[i].target != target) {
            continue;
        }
        for (size_t back = 1; back <= std::min(i, kMaxArgumentDistance); back++) {
            const Instruction &before = code[i - back];
            if (before.writes_register(register_number)) {
                return before.reads_register(kRsp) || before.reads_register(kRbp);
            }
            if (before.flow == Flow::call) {
                break;
            }
        }
    }
    return false;
}

struct Direction {
    bool is_write;
    // The plain function, which has its count on its own stack.
    const char *plain;
    // The one that passes its caller's on; the first that exists counts.
    std::vector<const char *> extended;
    std::vector<const char *> covered;
    const char *internal;
};

bool is_cheap(const Placement &placement) {
    return placement.is_emulated && placement.can_return_probe;
}

bool is_placed_well(const LocatedStack &stack, const Direction &direction) {
    return std::all_of(stack.functions.begin(), stack.functions.end(), [&](const auto &function) {
        const bool is_of_direction = std::find(direction.covered.begin(), direction.covered.end(),
                                               function.name) != direction.covered.end();
        return !is_of_direction || is_cheap(function.placement);
    });
}

void prefer_internal(const ElfFile &file, const std::map<std::string, FunctionSymbol> &symbols,
                     const Direction &direction, LocatedStack *stack) {
    if (is_placed_well(*stack, direction)) {
        return;
    }
    const auto plain = read_exported(file, symbols, direction.plain);
    std::optional<Exported> extended;
    for (const char *name : direction.extended) {
        if (!extended) {
            extended = read_exported(file, symbols, name);
        }
    }
    if (!plain || !extended) {
        return;
    }
    std::vector<LocatedFunction> candidates;
    for (const uint64_t target : plain->called) {
        const auto symbol = symbols.find(direction.internal);
        if (!extended->called.contains(target) ||
            (symbol != symbols.end() && symbol->second.address != target)) {
            continue;
        }
        const auto code = decode_function(file, {target, 0});
        const auto signature = internal_signature(code, direction.is_write);
        if (!signature || !passes_stack_address(plain->code, target,
                                                *signature == "SSL_write_ex2" ? kR8 : kRcx)) {
            continue;
        }
        auto placement = place_probe(file, {target, 0}, internal_needs(*signature));
        const auto offset = file.offset_of(target);
        if (!placement || !offset || !is_cheap(*placement)) {
            continue;
        }
        if (placement->chosen == "entry") {
            placement->chosen = "internal";
        }
        placement->why = std::string(direction.plain) +
                         " begins with what would be single-stepped, and all calls come through "
                         "this one: " +
                         placement->why;
        candidates.push_back({internal_name(*signature), *signature, {}, *offset, *placement, {}});
    }
    if (candidates.size() != 1) {
        return;
    }
    LocatedFunction internal = candidates.front();
    std::erase_if(stack->functions, [&](const LocatedFunction &function) {
        const bool is_covered = std::find(direction.covered.begin(), direction.covered.end(),
                                          function.name) != direction.covered.end();
        if (is_covered) {
            internal.covers.push_back(function.name);
        }
        return is_covered;
    });
    stack->functions.push_back(std::move(internal));
}

} // namespace

std::optional<std::string> internal_signature(const std::vector<Instruction> &code, bool is_write) {
    const RegisterMask live = live_registers(code);
    if ((live & kFourArguments) != kFourArguments) {
        return std::nullopt;
    }
    if (!is_write) {
        return "SSL_read_ex";
    }
    return (live & kFiveArguments) == kFiveArguments ? "SSL_write_ex2" : "SSL_write_ex";
}

const char *internal_name(const std::string &signature) {
    if (signature == "SSL_write_ex2") {
        return "ssl_write_internal_flags";
    }
    return kOpensslInternalNames[signature == "SSL_write_ex" ? 1 : 0];
}

ProbeNeeds internal_needs(const std::string &signature) {
    return {signature == "SSL_write_ex2" ? kFiveArguments : kFourArguments, true};
}

void prefer_internal_functions(const ElfFile &file,
                               const std::map<std::string, FunctionSymbol> &symbols,
                               LocatedStack *stack) {
    prefer_internal(
        file, symbols,
        {false, "SSL_read", {"SSL_read_ex"}, {"SSL_read", "SSL_read_ex"}, kOpensslInternalNames[0]},
        stack);
    prefer_internal(file, symbols,
                    {true,
                     "SSL_write",
                     {"SSL_write_ex2", "SSL_write_ex"},
                     {"SSL_write", "SSL_write_ex", "SSL_write_ex2"},
                     kOpensslInternalNames[1]},
                    stack);
}

} // namespace sightline
