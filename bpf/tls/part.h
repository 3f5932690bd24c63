/* One of the several parts that a call has its bytes in. */
#pragma once

#include "call.h"

/* A function of its own, so that it is verified once and not for each part. */
__attribute__((noinline)) int carry_part(struct call *part) {
    if (!part)
        return 0;
    finish_call(part, bpf_get_current_pid_tgid(), part->capacity, false, NO_PLACE);
    return 0;
}
