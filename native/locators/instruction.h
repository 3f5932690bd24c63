// One decoded x86-64 instruction: what the locators and the placement of probes ask about it.
#pragma once

#include "elf-file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sightline {

// Bit of a general purpose register in a mask: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi,
// 7 rdi, 8 to 15 r8 to r15.
using RegisterMask = uint32_t;
constexpr unsigned kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsp = 4, kRbp = 5, kRsi = 6, kRdi = 7,
                   kR8 = 8, kR9 = 9, kR14 = 14;
constexpr RegisterMask register_bit(unsigned number) {
    return 1u << number;
}

enum class Flow {
    next,
    // Anything that may go elsewhere and may also go on.
    conditional,
    jump,
    call,
    ret,
    // ud2, int3, hlt: nothing behind it is reached through it.
    trap,
};

// What an instruction does with its operands, as far as values are followed.
enum class Operation { other, move, add, subtract, load_address, push, pop };

struct Operand {
    enum class Kind { none, general_register, memory, constant };
    Kind kind = Kind::none;
    uint32_t bits = 0;
    // The register; of memory that of the base. Nothing where it is no general one.
    std::optional<unsigned> number;
    // Of memory: a second register that is added as it is, or something else that is added.
    std::optional<unsigned> added;
    bool is_scaled = false;
    // The constant, or the distance from the base.
    int64_t value = 0;
};

struct Instruction {
    uint64_t address = 0;
    uint32_t size = 0;
    Flow flow = Flow::next;
    // Of a direct jump or call.
    std::optional<uint64_t> target;
    // Whole registers read (also in addresses), and written in any part.
    RegisterMask reads = 0;
    RegisterMask writes = 0;
    // `mov` of a constant into a register, and `xor` of one with itself.
    std::optional<std::pair<unsigned, int64_t>> constant;
    // `lea` of an address relative to the instruction pointer: register and address.
    std::optional<std::pair<unsigned, uint64_t>> address_use;
    // `mov` from one register into another, both whole: to, from.
    std::optional<std::pair<unsigned, unsigned>> copy;
    // `cmp` with a constant.
    std::optional<int64_t> compared;
    // Writes memory at an address in this register.
    std::optional<unsigned> stores_through;
    Operation operation = Operation::other;
    // Of other operations only `to`: memory that is written, else the first register that is.
    Operand to;
    Operand from;
    // Writes memory that no operand names: strings of bytes, and what saves many registers.
    bool stores_elsewhere = false;
    bool is_endbr = false;
    bool is_padding = false;
    // Emulated by the kernel at a uprobe, not single-stepped: linux/arch/x86/kernel/uprobes.c,
    // branch_setup_xol_ops() and push_setup_xol_ops().
    bool is_emulated = false;

    uint64_t end() const {
        return address + size;
    }
    bool writes_register(unsigned number) const {
        return (writes & register_bit(number)) != 0;
    }
    bool reads_register(unsigned number) const {
        return (reads & register_bit(number)) != 0;
    }
};

// Nothing when the bytes are no instruction. Only on x86-64.
std::optional<Instruction> decode_instruction(const uint8_t *bytes, size_t size, uint64_t address);

// In Intel's notation.
std::string instruction_text(const uint8_t *bytes, size_t size, uint64_t address);
std::string instruction_text_at(const ElfFile &file, uint64_t address);

// The name of all 64 bits of a general purpose register.
std::string register_name(unsigned number);

// Size and flow only: several times as fast.
struct InstructionShape {
    uint32_t size;
    Flow flow;
    bool is_padding;
};
std::optional<InstructionShape> decode_shape(const uint8_t *bytes, size_t size);

// The instructions from `start` until `end`, or until something that is none.
std::vector<Instruction> decode_range(const ElfFile &file, uint64_t start, uint64_t end);

// The same, until the first point that nothing before it goes past: where a function ends when
// nothing says so. What is known to belong to it is `at_least`.
std::vector<Instruction> decode_to_end_of_function(const ElfFile &file, uint64_t start,
                                                   uint64_t at_least, uint64_t limit);

} // namespace sightline
