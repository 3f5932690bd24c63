/* Whether a function that was entered is still there. */
#pragma once

#include "task.h"
#include "types.h"

/*
 * `place`: the stack pointer at the entry of a function of the current thread whose return is
 * probed. The kernel has put an address of its own there in the stead of the return address, and
 * what later calls keep in that place overwrites it. Where that cannot be told, the function is
 * taken for one that is still there. A function of its own, so that it is verified once and not
 * with all that comes behind it.
 */
__noinline int has_probed_frame(u64 place) {
#if defined(__TARGET_ARCH_x86)
    struct xol_area *area = NULL;
    u64 probed = 0;
    u64 found = 0;
    if (bpf_core_field_exists(area->vaddr)) {
        area = BPF_CORE_READ(current_task(), mm, uprobes_state.xol_area);
        probed = BPF_CORE_READ(area, vaddr);
    }
    if (!probed || bpf_probe_read_user(&found, sizeof(found), (void *)place))
        return true;
    return found == probed;
#else
    return true;
#endif
}
