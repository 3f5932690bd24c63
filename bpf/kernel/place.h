/* What a program is told of the instruction that it runs at: ../abi/place.h. */
#pragma once

#include "types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "../abi/place.h"

#define PLACE_WORD_BYTES 8
#define PLACE_WORDS_MASK ((1 << SL_PLACE_WORDS_BITS) - 1)
#define PLACE_OPERAND_MASK ((1 << SL_PLACE_OPERAND_BITS) - 1)

static __always_inline u64 place_stack_bytes(u64 place) {
    return (place >> SL_PLACE_STACK_SHIFT & PLACE_WORDS_MASK) * PLACE_WORD_BYTES;
}

/* The compiler would make one load of all cases, which the verifier takes for a changed context. */
#define REGISTER_CASE(ctx, number, name)                                                           \
    case number: {                                                                                 \
        u64 value = (ctx)->name;                                                                   \
        asm volatile("" : "+r"(value));                                                            \
        return value;                                                                              \
    }

/* By its number and 1, in the order of the machine's encoding. */
static __always_inline u64 register_numbered(struct pt_regs *ctx, u64 number) {
#if defined(__TARGET_ARCH_x86)
    switch (number) {
        REGISTER_CASE(ctx, 1, ax)
        REGISTER_CASE(ctx, 2, cx)
        REGISTER_CASE(ctx, 3, dx)
        REGISTER_CASE(ctx, 4, bx)
        REGISTER_CASE(ctx, 6, bp)
        REGISTER_CASE(ctx, 7, si)
        REGISTER_CASE(ctx, 8, di)
        REGISTER_CASE(ctx, 9, r8)
        REGISTER_CASE(ctx, 10, r9)
        REGISTER_CASE(ctx, 11, r10)
        REGISTER_CASE(ctx, 12, r11)
        REGISTER_CASE(ctx, 13, r12)
        REGISTER_CASE(ctx, 14, r13)
        REGISTER_CASE(ctx, 15, r14)
        REGISTER_CASE(ctx, 16, r15)
    default:
        return 0;
    }
#else
    return 0;
#endif
}

/* Operand 0 to 2, which is in a register. */
static __always_inline u64 place_register(struct pt_regs *ctx, u64 place, const u32 index) {
    return register_numbered(ctx,
                             place >> (SL_PLACE_OPERAND_SHIFT + index * SL_PLACE_OPERAND_BITS) &
                                 PLACE_OPERAND_MASK);
}

/* Operand 0 or 1; 0 where there is none. */
static __always_inline u64 place_operand(struct pt_regs *ctx, u64 place, const u32 index) {
    u64 operand =
        place >> (SL_PLACE_OPERAND_SHIFT + index * SL_PLACE_OPERAND_BITS) & PLACE_OPERAND_MASK;
    if (operand != SL_PLACE_ON_STACK)
        return place_register(ctx, place, index);
    u64 words = place >> (SL_PLACE_DISTANCE_SHIFT + index * SL_PLACE_WORDS_BITS) & PLACE_WORDS_MASK;
    u64 value = 0;
    bpf_probe_read_user(&value, sizeof(value),
                        (void *)(PT_REGS_SP(ctx) + words * PLACE_WORD_BYTES));
    return value;
}
