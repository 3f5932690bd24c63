/* What keeps clang and the verifier from disagreeing about the size of a copy. */
#pragma once

#include "types.h"

/*
 * At most `max`. The empty assembly makes the compiler test and use the same register; without it
 * clang 14 tests one copy and passes another, which the verifier rejects.
 */
static __always_inline u64 at_most(u64 value, const u64 max) {
    asm volatile("" : "+r"(value));
    if (value > max)
        value = max;
    return value;
}

/*
 * The same value, of which the verifier knows nothing any more. In a loop this lets it see that an
 * iteration begins in the same state whichever branch the one before took, so that the states do
 * not multiply.
 */
static __always_inline u64 forget_bounds(u64 value, u64 unknown) {
    asm volatile("" : "+r"(value), "+r"(unknown));
    value ^= unknown;
    asm volatile("" : "+r"(value), "+r"(unknown));
    value ^= unknown;
    asm volatile("" : "+r"(value));
    return value;
}
