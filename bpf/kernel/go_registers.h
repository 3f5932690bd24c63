/*
 * Where Go keeps arguments, results and the current goroutine.
 * Since Go 1.17 (arm64: 1.18): https://go.dev/src/cmd/compile/abi-internal.md
 * Before, everything is on the stack: https://go.dev/doc/asm
 */
#pragma once

#include "task.h"
#include <bpf/bpf_tracing.h>

/* The first three integer arguments and the first result. */
#if defined(__TARGET_ARCH_x86)
#define GO_ARGUMENT_1(ctx) ((ctx)->ax)
#define GO_ARGUMENT_2(ctx) ((ctx)->bx)
#define GO_ARGUMENT_3(ctx) ((ctx)->cx)
#define GO_RESULT(ctx) ((ctx)->ax)
/* Holds the current goroutine since Go 1.17, in a system call too. */
#define GO_GOROUTINE_REGISTER(registers) BPF_CORE_READ(registers, r14)
#elif defined(__TARGET_ARCH_arm64)
#define GO_ARGUMENT_1(ctx) ((ctx)->user_regs.regs[0])
#define GO_ARGUMENT_2(ctx) ((ctx)->user_regs.regs[1])
#define GO_ARGUMENT_3(ctx) ((ctx)->user_regs.regs[2])
#define GO_RESULT(ctx) ((ctx)->user_regs.regs[0])
#define GO_GOROUTINE_REGISTER(registers) BPF_CORE_READ(registers, user_regs.regs[28])
#endif

/* Address of the runtime's structure of the goroutine that runs. */
static __always_inline u64 goroutine_of(struct pt_regs *ctx, const bool has_registers) {
#if defined(__TARGET_ARCH_x86)
    if (has_registers)
        return ctx->r14;
    /* In the thread's local storage, where the linker puts it for every program on Linux. */
    u64 base = BPF_CORE_READ(current_task(), thread.fsbase);
    u64 goroutine = 0;
    bpf_probe_read_user(&goroutine, sizeof(goroutine), (void *)(base - 8));
    return goroutine;
#else
    return ctx->user_regs.regs[28];
#endif
}

/* The goroutine's stack: the first member of its structure (runtime.g, runtime.stack). */
struct go_stack {
    u64 low;
    u64 high;
};

/* Word `index` above the return address, which is at the stack pointer (arm64: a free word). */
static __always_inline u64 go_stack_word(struct pt_regs *ctx, u64 index) {
    u64 value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)(PT_REGS_SP(ctx) + 8 + index * 8));
    return value;
}
