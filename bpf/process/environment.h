/*
 * The one environment variable that is looked for, found in the kernel so that no other value ever
 * leaves it. https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
#pragma once

#include "../kernel/bounds.h"
#include "../kernel/task.h"

/* Pieces of the environment looked at; a string takes one, and one more for every 255 bytes. */
#define ENVIRONMENT_STEPS_MAX 1024
#define ENVIRONMENT_PIECE_BYTES 256

#define SERVICE_NAME_PREFIX "OTEL_SERVICE_NAME="
#define SERVICE_NAME_PREFIX_BYTES ((long)sizeof(SERVICE_NAME_PREFIX) - 1)

static __always_inline bool is_service_name(const char *text) {
    const char prefix[] = SERVICE_NAME_PREFIX;
    for (int i = 0; i < SERVICE_NAME_PREFIX_BYTES; i++) {
        if (text[i] != prefix[i])
            return false;
    }
    return true;
}

/* Not inlined: the piece of text takes half of the stack a program may have. */
static __noinline u64 find_service_name(u64 start, u64 end) {
    char piece[ENVIRONMENT_PIECE_BYTES];
    u64 address = start;
    bool at_beginning = true;

    for (int i = 0; i < ENVIRONMENT_STEPS_MAX; i++) {
        if (address >= end)
            return 0;
        long copied = bpf_probe_read_user_str(piece, sizeof(piece), (void *)address);
        if (copied <= 0)
            return 1;
        if (at_beginning && copied > SERVICE_NAME_PREFIX_BYTES && is_service_name(piece))
            return address + SERVICE_NAME_PREFIX_BYTES;
        /* A full piece ends in the middle of a string, with a terminator that is not the string's.
         */
        at_beginning = copied < ENVIRONMENT_PIECE_BYTES;
        address += at_beginning ? copied : ENVIRONMENT_PIECE_BYTES - 1;
    }
    return 1;
}

static __always_inline void describe_service_name(struct sl_exec_record *record,
                                                  struct task_struct *task) {
    u64 start = BPF_CORE_READ(task, mm, env_start);
    u64 end = BPF_CORE_READ(task, mm, env_end);
    u64 address = find_service_name(start, end);
    record->service_name_bytes = 0;
    if (address == 1)
        record->header.flags |= SL_EXEC_ENVIRONMENT_CUT;
    if (address <= 1)
        return;
    long copied =
        bpf_probe_read_user_str(record->service_name, SL_SERVICE_NAME_MAX, (void *)address);
    if (copied > 0)
        record->service_name_bytes = copied - 1;
}
