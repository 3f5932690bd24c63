#include "instruction.h"

#if defined(__x86_64__)
#include <Zydis/Zydis.h>
#endif

namespace sightline {

#if defined(__x86_64__)
namespace {

// Whatever asks for more has mistaken data for a function.
constexpr uint64_t kMaxDecodedBytes = 1024 * 1024;

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
            if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 &&
                (base & (register_bit(kRsp) | register_bit(kRbp))) == 0) {
                made->stores_outside_stack = true;
            }
        }
    }
}

void take_meaning(const ZydisDecodedInstruction &decoded, const ZydisDecodedOperand *operands,
                  Instruction *made) {
    made->is_endbr = decoded.mnemonic == ZYDIS_MNEMONIC_ENDBR64;
    made->is_padding =
        decoded.mnemonic == ZYDIS_MNEMONIC_NOP || decoded.mnemonic == ZYDIS_MNEMONIC_INT3;
    if (made->flow == Flow::conditional || made->flow == Flow::jump || made->flow == Flow::call) {
        ZyanU64 target = 0;
        if (operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
            ZYAN_SUCCESS(
                ZydisCalcAbsoluteAddress(&decoded, &operands[0], made->address, &target))) {
            made->target = target;
        }
        return;
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

std::vector<Instruction> decode_range(const ElfFile &file, uint64_t start, uint64_t end) {
    std::vector<Instruction> found;
    if (end <= start || end - start > kMaxDecodedBytes) {
        return found;
    }
    const std::vector<uint8_t> code = file.read_up_to(start, end - start);
    uint64_t at = 0;
    while (at < code.size()) {
        const auto next = decode_instruction(code.data() + at, code.size() - at, start + at);
        if (!next) {
            break;
        }
        found.push_back(*next);
        at += next->size;
    }
    return found;
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

std::vector<Instruction> decode_range(const ElfFile &, uint64_t, uint64_t) {
    return {};
}

#endif

} // namespace sightline
