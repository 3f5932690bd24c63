/*
 * The one environment variable that is looked for, found in the kernel so that no other value ever
 * leaves it. https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
#pragma once

#include "../kernel/bounds.h"
#include "../kernel/task.h"

/* Pieces of the environment looked at; a string takes one, and one more for every 255 bytes. */
#define ENVIRONMENT_STEPS_MAX 1024
/* Of these in one turn. */
#define ENVIRONMENT_STEPS 32
#define ENVIRONMENT_PIECE_BYTES 256

#define SERVICE_NAME_PREFIX "OTEL_SERVICE_NAME="
#define SERVICE_NAME_PREFIX_BYTES ((long)sizeof(SERVICE_NAME_PREFIX) - 1)

union environment_piece {
    char text[ENVIRONMENT_PIECE_BYTES];
    u64 words[ENVIRONMENT_PIECE_BYTES / 8];
    u16 halves[ENVIRONMENT_PIECE_BYTES / 2];
};

/*
 * 0 when `piece` begins with the name. A shorter string has its terminator within the compared
 * bytes, so what an earlier piece left behind it does not matter. Compared in words, because each
 * branch multiplies what the verifier follows.
 */
static __always_inline u64 differs_from_name(const union environment_piece *piece) {
    const union environment_piece name = {.text = SERVICE_NAME_PREFIX};
    u64 difference = piece->words[0] ^ name.words[0];
    difference |= piece->words[1] ^ name.words[1];
    difference |= piece->halves[8] ^ name.halves[8];
    return difference;
}

/* In what find_name returns beside an address: which is the value's, or of a piece that continues a
 * string; nothing more can be read. */
#define NAME_FOUND (1ULL << 63)
#define NAME_WITHIN_STRING (1ULL << 62)
#define NAME_UNREADABLE (1ULL << 61)
#define NAME_ADDRESS_MASK (NAME_UNREADABLE - 1)

/*
 * Looks for the variable in the next pieces from `place` on, which is what this has returned for
 * the pieces before. Global, and given numbers alone, so that the verifier looks at it once and not
 * for each turn of a loop.
 */
__noinline u64 find_name(u64 place, u64 end) {
    union environment_piece piece;
    u64 address = place & NAME_ADDRESS_MASK;
    u64 is_within_string = place & NAME_WITHIN_STRING;

    for (int i = 0; i < ENVIRONMENT_STEPS; i++) {
        address = forget_bounds(address, end);
        is_within_string = forget_bounds(is_within_string, end);
        if (address >= end)
            break;
        long copied = bpf_probe_read_user_str(&piece, sizeof(piece), (void *)address);
        if (copied <= 0)
            return NAME_UNREADABLE;
        if ((differs_from_name(&piece) | is_within_string) == 0)
            return NAME_FOUND | (address + SERVICE_NAME_PREFIX_BYTES);
        /* A full piece ends in the middle of its string, with a terminator that is not the
         * string's. */
        is_within_string = (u64)copied / ENVIRONMENT_PIECE_BYTES;
        address += copied - is_within_string;
    }
    return is_within_string ? address | NAME_WITHIN_STRING : address;
}

/* Address of the variable's value, 0 when there is none, 1 when that is not known. */
static __always_inline u64 find_service_name(u64 start, u64 end) {
    u64 place = start;
    for (int i = 0; i < ENVIRONMENT_STEPS_MAX / ENVIRONMENT_STEPS; i++) {
        place = find_name(place, end);
        if (place & NAME_UNREADABLE)
            return 1;
        if (place & NAME_FOUND)
            return place & NAME_ADDRESS_MASK;
        if ((place & NAME_ADDRESS_MASK) >= end)
            return 0;
    }
    return 1;
}

static __always_inline void describe_service_name(struct sl_exec_record *record,
                                                  struct task_struct *task) {
    u64 start = BPF_CORE_READ(task, mm, env_start);
    u64 end = BPF_CORE_READ(task, mm, env_end);
    u64 address = forget_bounds(find_service_name(start, end), end);
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
