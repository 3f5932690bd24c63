#include "instruction.h"

#include <algorithm>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>
#endif

namespace sightline {

#if defined(__x86_64__)
namespace {

// Whatever asks for more has mistaken data for a function.
constexpr uint64_t kMaxDecodedBytes = 1024 * 1024;
constexpr uint64_t kBytesAtOnce = 4096;
constexpr uint64_t kMaxInstructionBytes = 15;

const ZydisDecoder &decoder() {
    static const ZydisDecoder instance = [] {
        ZydisDecoder made;
        ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        return made;
    }();
    return instance;
}

std::optional<unsigned> general_register(ZydisRegister name) {
    if (name == ZYDIS_REGISTER_NONE) {
        return std::nullopt;
    }
    const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15) {
        return std::nullopt;
    }
    return static_cast<unsigned>(whole - ZYDIS_REGISTER_RAX);
}

RegisterMask mask_of(ZydisRegister name) {
    const auto number = general_register(name);
    return number ? register_bit(*number) : 0;
}

Flow flow_of(const ZydisDecodedInstruction &decoded) {
    switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return Flow::conditional;
    case ZYDIS_CATEGORY_UNCOND_BR:
        return Flow::jump;
    case ZYDIS_CATEGORY_CALL:
        return Flow::call;
    case ZYDIS_CATEGORY_RET:
        return Flow::ret;
    default:
        break;
    }
    switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_HLT:
        return Flow::trap;
    default:
        return Flow::next;
    }
}

bool is_padding(const ZydisDecodedInstruction &decoded) {
    return decoded.mnemonic == ZYDIS_MNEMONIC_NOP || decoded.mnemonic == ZYDIS_MNEMONIC_INT3;
}

bool is_emulated(const ZydisDecodedInstruction &decoded, const uint8_t *bytes) {
    const bool is_16_bit = (decoded.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0;
    const ZyanU8 opcode = decoded.opcode;
    if (decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) {
        if (opcode == 0x90) {
            // With the prefix f3 it is `pause`, which the kernel takes for the same; with 41 it
            // exchanges registers.
            return decoded.mnemonic == ZYDIS_MNEMONIC_NOP;
        }
        if (opcode >= 0x50 && opcode <= 0x57) {
            return decoded.length == 1 || (decoded.length == 2 && bytes[0] == 0x41);
        }
        const bool is_branch = opcode == 0xeb || opcode == 0xe9 || opcode == 0xe8 ||
                               (opcode >= 0x70 && opcode <= 0x7f);
        return is_branch && !is_16_bit;
    }
    // The long conditional jumps, and the five byte nop that kernels since 6.18 turn into a call.
    if (decoded.opcode_map == ZYDIS_OPCODE_MAP_0F) {
        return (opcode >= 0x80 && opcode <= 0x8f && !is_16_bit) ||
               (decoded.mnemonic == ZYDIS_MNEMONIC_NOP && decoded.length == 5 && !is_16_bit);
    }
    return false;
}

void take_operands(const ZydisDecodedInstruction &decoded, const ZydisDecodedOperand *operands,
                   Instruction *made) {
    for (ZyanU8 i = 0; i < decoded.operand_count; i++) {
        const ZydisDecodedOperand &operand = operands[i];
        if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
            const RegisterMask mask = mask_of(operand.reg.value);
            if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0) {
                made->reads |= mask;
            }
            if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0) {
                made->writes |= mask;
            }
        } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
            const RegisterMask base = mask_of(operand.mem.base);
            made->reads |= base | mask_of(operand.mem.index);
            if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0) {
                made->stores_through = general_register(operand.mem.base);
            }
        }
    }
}

Operand operand_of(const ZydisDecodedOperand &operand) {
    Operand made;
    made.bits = operand.size;
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        made.number = general_register(operand.reg.value);
        made.kind = made.number ? Operand::Kind::general_register : Operand::Kind::none;
    } else if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        made.kind = Operand::Kind::constant;
        made.value = operand.imm.value.s;
    } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
        made.kind = Operand::Kind::memory;
        made.number = general_register(operand.mem.base);
        made.added = general_register(operand.mem.index);
        made.is_scaled = made.added && operand.mem.scale != 1;
        // Relative to another register than the general ones, as thread-local memory is.
        if (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS) {
            made.number.reset();
        }
        made.value = operand.mem.disp.has_displacement ? operand.mem.disp.value : 0;
    }
    return made;
}

Operation operation_of(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        return Operation::move;
    case ZYDIS_MNEMONIC_ADD:
        return Operation::add;
    case ZYDIS_MNEMONIC_SUB:
        return Operation::subtract;
    case ZYDIS_MNEMONIC_LEA:
        return Operation::load_address;
    case ZYDIS_MNEMONIC_PUSH:
        return Operation::push;
    case ZYDIS_MNEMONIC_POP:
        return Operation::pop;
    default:
        return Operation::other;
    }
}

void take_operation(const ZydisDecodedInstruction &decoded, const ZydisDecodedOperand *operands,
                    Instruction *made) {
    made->operation = operation_of(decoded.mnemonic);
    if (made->operation == Operation::push) {
        made->from = operand_of(operands[0]);
        return;
    }
    if (made->operation != Operation::other) {
        made->to = operand_of(operands[0]);
        made->from = made->operation == Operation::pop ? Operand{} : operand_of(operands[1]);
        return;
    }
    const bool is_register_written = decoded.operand_count_visible > 0 &&
                                     operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                                     (operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    if (is_register_written) {
        made->to = operand_of(operands[0]);
    }
    for (ZyanU8 i = 0; i < decoded.operand_count; i++) {
        const bool is_stored = operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                               (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
        if (!is_stored || made->flow == Flow::call) {
            continue;
        }
        if (operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
            made->stores_elsewhere = true;
        } else {
            made->to = operand_of(operands[i]);
        }
    }
}

void take_meaning(const ZydisDecodedInstruction &decoded, const ZydisDecodedOperand *operands,
                  Instruction *made) {
    made->is_endbr = decoded.mnemonic == ZYDIS_MNEMONIC_ENDBR64;
    made->is_padding = is_padding(decoded);
    if (made->flow == Flow::conditional || made->flow == Flow::jump || made->flow == Flow::call) {
        ZyanU64 target = 0;
        if (operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
            ZYAN_SUCCESS(
                ZydisCalcAbsoluteAddress(&decoded, &operands[0], made->address, &target))) {
            made->target = target;
        }
        return;
    }
    if (decoded.mnemonic == ZYDIS_MNEMONIC_CMP &&
        operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        made->compared = operands[1].imm.value.s;
    }
    if (decoded.operand_count < 2 || operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER) {
        return;
    }
    const auto to = general_register(operands[0].reg.value);
    if (!to) {
        return;
    }
    if (decoded.mnemonic == ZYDIS_MNEMONIC_MOV) {
        if (operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            made->constant = {*to, operands[1].imm.value.s};
        } else if (operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[1].size == 64) {
            const auto from = general_register(operands[1].reg.value);
            if (from) {
                made->copy = {*to, *from};
            }
        }
    } else if (decoded.mnemonic == ZYDIS_MNEMONIC_XOR &&
               operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               operands[1].reg.value == operands[0].reg.value) {
        made->constant = {*to, 0};
        made->reads &= ~register_bit(*to);
    } else if (decoded.mnemonic == ZYDIS_MNEMONIC_LEA &&
               operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
               operands[1].mem.base == ZYDIS_REGISTER_RIP) {
        ZyanU64 target = 0;
        if (ZYAN_SUCCESS(
                ZydisCalcAbsoluteAddress(&decoded, &operands[1], made->address, &target))) {
            made->address_use = {*to, target};
        }
    }
}

} // namespace

std::optional<Instruction> decode_instruction(const uint8_t *bytes, size_t size, uint64_t address) {
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder(), bytes, size, &decoded, operands))) {
        return std::nullopt;
    }
    Instruction made;
    made.address = address;
    made.size = decoded.length;
    made.flow = flow_of(decoded);
    made.is_emulated = is_emulated(decoded, bytes);
    take_operands(decoded, operands, &made);
    take_meaning(decoded, operands, &made);
    take_operation(decoded, operands, &made);
    return made;
}

std::string instruction_text(const uint8_t *bytes, size_t size, uint64_t address) {
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder(), bytes, size, &decoded, operands))) {
        return "";
    }
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    char text[128];
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded, operands,
                                                      decoded.operand_count_visible, text,
                                                      sizeof(text), address, nullptr))) {
        return "";
    }
    return text;
}

std::string instruction_text_at(const ElfFile &file, uint64_t address) {
    const std::vector<uint8_t> bytes = file.read_up_to(address, kMaxInstructionBytes);
    return instruction_text(bytes.data(), bytes.size(), address);
}

std::string register_name(unsigned number) {
    return ZydisRegisterGetString(static_cast<ZydisRegister>(ZYDIS_REGISTER_RAX + number));
}

std::optional<InstructionShape> decode_shape(const uint8_t *bytes, size_t size) {
    ZydisDecodedInstruction decoded;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder(), nullptr, bytes, size, &decoded))) {
        return std::nullopt;
    }
    return InstructionShape{decoded.length, flow_of(decoded), is_padding(decoded)};
}

namespace {

template <typename IsLast>
std::vector<Instruction> decode_while(const ElfFile &file, uint64_t start, uint64_t end,
                                      IsLast is_last) {
    std::vector<Instruction> found;
    if (end <= start || end - start > kMaxDecodedBytes) {
        return found;
    }
    std::vector<uint8_t> code;
    uint64_t code_start = start;
    uint64_t at = start;
    while (at < end) {
        const uint64_t in_code = at - code_start;
        if (in_code + kMaxInstructionBytes > code.size() && code_start + code.size() < end) {
            // Functions are short, mostly: read on as they turn out not to be.
            code = file.read_up_to(at, std::min(kBytesAtOnce, end - at));
            code_start = at;
            if (code.empty()) {
                break;
            }
            // The segment ends before `end`.
            if (code.size() < std::min(kBytesAtOnce, end - at)) {
                end = code_start + code.size();
            }
            continue;
        }
        const auto next = decode_instruction(code.data() + in_code, code.size() - in_code, at);
        if (!next) {
            break;
        }
        found.push_back(*next);
        at += next->size;
        if (is_last(*next)) {
            break;
        }
    }
    return found;
}

} // namespace

std::vector<Instruction> decode_range(const ElfFile &file, uint64_t start, uint64_t end) {
    return decode_while(file, start, end, [](const Instruction &) { return false; });
}

std::vector<Instruction> decode_to_end_of_function(const ElfFile &file, uint64_t start,
                                                   uint64_t at_least, uint64_t limit) {
    uint64_t furthest = at_least;
    return decode_while(file, start, limit, [&](const Instruction &instruction) {
        if (instruction.target && instruction.flow != Flow::call &&
            *instruction.target > furthest && *instruction.target < limit) {
            furthest = *instruction.target;
        }
        const bool ends = instruction.flow == Flow::ret || instruction.flow == Flow::jump ||
                          instruction.flow == Flow::trap;
        return ends && furthest < instruction.end();
    });
}

#else

// The code of other machines is not decoded: functions are found by their symbols, and probed at
// their first instruction.
std::optional<Instruction> decode_instruction(const uint8_t *, size_t, uint64_t) {
    return std::nullopt;
}

std::string instruction_text(const uint8_t *, size_t, uint64_t) {
    return "";
}

std::string instruction_text_at(const ElfFile &, uint64_t) {
    return "";
}

std::string register_name(unsigned) {
    return "";
}

std::optional<InstructionShape> decode_shape(const uint8_t *, size_t) {
    return std::nullopt;
}

std::vector<Instruction> decode_range(const ElfFile &, uint64_t, uint64_t) {
    return {};
}

std::vector<Instruction> decode_to_end_of_function(const ElfFile &, uint64_t, uint64_t, uint64_t) {
    return {};
}

#endif

} // namespace sightline
