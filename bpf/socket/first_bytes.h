/* Tells unencrypted HTTP by the first bytes of a call: a request's method, a status line, or the
 * preface of HTTP/2 (RFC 9113, 3.4). */
#pragma once

#include "../kernel/types.h"
#include <bpf/bpf_helpers.h>

enum { FIRST_UNKNOWN = 0, FIRST_HTTP = 1, FIRST_TLS = 2 };

/* Both machines are little-endian: the first character is in the lowest byte. */
#define TEXT4(a, b, c, d) ((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24)
#define TEXT8(a, b, c, d, e, f, g, h) (TEXT4(a, b, c, d) | TEXT4(e, f, g, h) << 32)
#define FIRST(n) (~0ULL >> (64 - 8 * (n)))

static __always_inline int judge_first(u64 text) {
    if ((text & FIRST(7)) == TEXT8('H', 'T', 'T', 'P', '/', '1', '.', 0))
        return FIRST_HTTP;
    if ((text & FIRST(5)) == TEXT8('P', 'O', 'S', 'T', ' ', 0, 0, 0) ||
        (text & FIRST(4)) == TEXT4('G', 'E', 'T', ' ') ||
        (text & FIRST(4)) == TEXT4('P', 'U', 'T', ' ') ||
        (text & FIRST(5)) == TEXT8('H', 'E', 'A', 'D', ' ', 0, 0, 0) ||
        (text & FIRST(6)) == TEXT8('P', 'A', 'T', 'C', 'H', ' ', 0, 0) ||
        (text & FIRST(7)) == TEXT8('D', 'E', 'L', 'E', 'T', 'E', ' ', 0) ||
        text == TEXT8('O', 'P', 'T', 'I', 'O', 'N', 'S', ' ') ||
        text == TEXT8('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ') ||
        text == TEXT8('P', 'R', 'I', ' ', '*', ' ', 'H', 'T'))
        return FIRST_HTTP;
    /* A record of TLS (RFC 8446, 5.1): a type from 20 to 23, and a version 3.x. */
    u8 type = text;
    if (type >= 20 && type <= 23 && ((text >> 8) & 0xff) == 3)
        return FIRST_TLS;
    return FIRST_UNKNOWN;
}
