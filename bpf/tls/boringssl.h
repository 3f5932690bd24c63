/*
 * BoringSSL, as Chromium's relatives and Bun carry it.
 * https://commondatastorage.googleapis.com/chromium-boringssl-docs/ssl.h.html
 *
 * - int SSL_read(SSL *, void *buffer, int capacity): above 0, the bytes read.
 * - int SSL_write(SSL *, const void *buffer, int bytes): the same.
 */
#pragma once

#include "call.h"
#include "close.h"

SEC("uprobe/boringssl_read_enter")
int boringssl_read_enter(struct pt_regs *ctx) {
    struct call_shape shape = {.stack = SL_STACK_BORINGSSL, .direction = SL_DIRECTION_READ};
    return enter_call(ctx, shape);
}

SEC("uprobe/boringssl_write_enter")
int boringssl_write_enter(struct pt_regs *ctx) {
    struct call_shape shape = {.stack = SL_STACK_BORINGSSL, .direction = SL_DIRECTION_WRITE};
    return enter_call(ctx, shape);
}

/* Entry of SSL_free. */
SEC("uprobe/boringssl_free_enter")
int boringssl_free_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
