/*
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * What a kernel program is told of the instruction that it runs at, where that is not the
 * function's beginning or return: the cookie of its link. 51 bits, which a JavaScript number holds.
 */
#pragma once

/* Words of eight bytes that the stack pointer is below its value at the function's entry. */
#define SL_PLACE_STACK_SHIFT 0
/* Up to three operands: 0 for none, a register's number (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp,
 * 6 rsi, 7 rdi, 8 to 15 r8 to r15) and 1, or SL_PLACE_ON_STACK. */
#define SL_PLACE_OPERAND_SHIFT 12
#define SL_PLACE_OPERAND_BITS 5
#define SL_PLACE_ON_STACK 17
/* Of the first two, where they are on the stack: words above the stack pointer. */
#define SL_PLACE_DISTANCE_SHIFT 27
#define SL_PLACE_WORDS_BITS 12
