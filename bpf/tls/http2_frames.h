/*
 * Follows the frames of HTTP/2 (RFC 9113 section 4.1) through the calls of a connection seen from
 * its preface on, so that a verdict can leave out the DATA frames of one stream and nothing else:
 * streams share a connection, and their heads share a compression state. Headers alone are read.
 */
#pragma once

#include "../kernel/bounds.h"
#include "stream.h"

#define FRAME_HEADER_BYTES 9
#define FRAME_TYPE_DATA 0
/* More frames than this in one call: its direction is not followed any more. Each costs the
 * verifier time at every start, in every program. */
#define CALL_FRAMES_MAX 64
/* "PRI * HT", as a little-endian word: section 3.4. */
#define PREFACE_START 0x5448202a20495250ULL
#define PREFACE_BYTES 24

/* The bytes of a header and what an access by an unknown offset may touch besides. */
struct frame_header {
    u8 bytes[32];
};

/* The client's first call begins with the preface: both sides' frames are followed from there on.
 */
static __always_inline void find_preface(struct connection *connection,
                                         const struct transfer *call) {
    u64 direction = call->direction & 1;
    u64 start = 0;
    if (call->position != 0 || call->bytes < PREFACE_BYTES || !call->buffer)
        return;
    if (bpf_probe_read_user(&start, sizeof(start), (void *)call->buffer) || start != PREFACE_START)
        return;
    connection->frame_at[direction] = PREFACE_BYTES;
    connection->follows_frames[direction] = 1;
    if (connection->position[direction ^ 1] == 0) {
        connection->frame_at[direction ^ 1] = 0;
        connection->follows_frames[direction ^ 1] = 1;
    }
}

/* The stream of a DATA frame without flags, which carries nothing but content; 0 of any other. */
static __always_inline u32 content_stream(const struct frame_header *header) {
    const u8 *bytes = header->bytes;
    if (bytes[3] != FRAME_TYPE_DATA || bytes[4] != 0)
        return 0;
    return (u32)(bytes[5] & 0x7f) << 24 | (u32)bytes[6] << 16 | (u32)bytes[7] << 8 | bytes[8];
}

/* With its header. Up to 2^24 + 8. */
static __always_inline u64 frame_bytes(const struct frame_header *header) {
    const u8 *bytes = header->bytes;
    return FRAME_HEADER_BYTES + ((u32)bytes[0] << 16 | (u32)bytes[1] << 8 | bytes[2]);
}

/*
 * The frame whose header is at `address`: its bytes, and its stream in the upper half as
 * content_stream has it. 0 when it cannot be read. Global, and given a number alone, so that the
 * verifier looks at it once and not for each turn of a loop.
 */
__noinline u64 read_frame(u64 address) {
    struct frame_header header = {};
    if (bpf_probe_read_user(header.bytes, FRAME_HEADER_BYTES, (void *)address))
        return 0;
    return (u64)content_stream(&header) << 32 | frame_bytes(&header);
}

/*
 * Reads the frame headers in a call of `bytes` at `buffer`. Returns their number when all of the
 * call is content of the stream `wanted`, and -1 otherwise. Global, and given numbers alone, so
 * that the verifier looks at it once and not on every path that leads to it.
 */
__noinline int follow_frames(u64 object, u64 pid_and_direction, u64 buffer, u64 bytes, u64 wanted) {
    struct connection_key key = {
        .object = object,
        .pid = pid_and_direction >> 1,
    };
    u64 direction = pid_and_direction & 1;
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return -1;
    u64 start = connection->position[direction];
    u64 end = start + bytes;
    u64 at = connection->frame_at[direction];
    u32 stream = connection->frame_stream[direction];
    u64 is_only = wanted && (at == start || stream == wanted);
    struct frame_header header = {};
    u64 headers = 0;
    u64 others = 0;

    connection->follows_frames[direction] = 0;
    if (!buffer)
        return -1;
    if (at < start) {
        /* Its first bytes came with the call before, which was copied as this one is. */
        u64 have = start - at;
        u64 lacks = FRAME_HEADER_BYTES - have;
        if (have >= FRAME_HEADER_BYTES || lacks > bytes)
            return -1;
        __builtin_memcpy(header.bytes, connection->frame_part[direction],
                         sizeof(connection->frame_part[direction]));
        if (bpf_probe_read_user(header.bytes + (have & 15), lacks & 15, (void *)buffer))
            return -1;
        is_only = false;
        stream = content_stream(&header);
        at += frame_bytes(&header);
    }
    is_only = forget_bounds(is_only, start);
    stream = forget_bounds(stream, start);
    for (int i = 0; i < CALL_FRAMES_MAX; i++) {
        at = forget_bounds(at, start);
        if (at + FRAME_HEADER_BYTES > end)
            break;
        u64 frame = read_frame(buffer + (at - start));
        if (!frame)
            return -1;
        stream = frame >> 32;
        others = forget_bounds(others | (stream ^ wanted), start);
        at += (u32)frame;
        headers = forget_bounds(headers + 1, start);
    }
    if (at < end) {
        void *place = (void *)(buffer + (at - start));
        u64 left = end - at;
        if (left >= FRAME_HEADER_BYTES)
            return -1;
        if (bpf_probe_read_user(connection->frame_part[direction], left & 7, place))
            return -1;
        if (left == 8 && bpf_probe_read_user(connection->frame_part[direction], 8, place))
            return -1;
        is_only = false;
    }
    connection->frame_at[direction] = at;
    connection->frame_stream[direction] = stream;
    connection->follows_frames[direction] = 1;
    return is_only && !others ? (int)headers : -1;
}
