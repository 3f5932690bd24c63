/*
 * GnuTLS. https://www.gnutls.org/manual/gnutls.html#Data-transfer-and-termination
 *
 * - ssize_t gnutls_record_recv(session, void *data, size_t capacity): above 0, the bytes read.
 * - gnutls_record_recv_seq: the same, with room for the sequence number behind.
 * - ssize_t gnutls_record_send(session, const void *data, size_t bytes): above 0, the bytes taken.
 * - gnutls_record_send2, gnutls_record_send_range: the same, with more behind.
 *
 * A send that was refused (GNUTLS_E_AGAIN) may be repeated without its data, which the library has
 * kept as ciphertext: those bytes are reported as lost, because nobody has them any more.
 */
#pragma once

#include "call.h"
#include "close.h"

SEC("uprobe/gnutls_recv_enter")
int gnutls_recv_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_READ,
        .is_wide = true,
    };
    return enter_call(ctx, shape);
}

SEC("uprobe/gnutls_send_enter")
int gnutls_send_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_WRITE,
        .is_wide = true,
    };
    return enter_call(ctx, shape);
}

/* Entry of gnutls_deinit. */
SEC("uprobe/gnutls_deinit_enter")
int gnutls_deinit_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
