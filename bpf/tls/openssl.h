/*
 * OpenSSL, and those that kept its interface. https://docs.openssl.org/3.0/man3/SSL_read/
 *
 * - int SSL_read(SSL *, void *buffer, int capacity): above 0, the bytes read.
 * - int SSL_read_ex(SSL *, void *buffer, size_t capacity, size_t *bytes): 1 when *bytes were read.
 *
 * The same for writing; SSL_write_ex2 (3.3) has flags before the address of the count.
 * ssl_read_internal and ssl_write_internal, which all of these call, have the arguments of the _ex
 * forms and return more than 0.
 *
 * - int SSL_read_early_data(SSL *, void *, size_t, size_t *bytes), SSL_write_early_data: the same;
 *   they are made of the _ex forms, which is seen (call.h).
 * - ssize_t SSL_sendfile(SSL *, int file, off_t, size_t bytes, int flags): the kernel encrypts what
 *   it reads from a file. These bytes are in no memory of the process: a gap of known size.
 *
 * SSL_peek is left out: what it shows is read again. SSL_clear makes an object ready for another
 * connection.
 */
#pragma once

#include "call.h"
#include "close.h"

static __always_inline int openssl_enter(struct pt_regs *ctx, u32 direction, u64 count_address) {
    struct call_shape shape = {
        .stack = SL_STACK_OPENSSL,
        .direction = direction,
        .count_address = count_address,
    };
    return enter_call(ctx, shape);
}

SEC("uprobe/openssl_read_enter")
int openssl_read_enter(struct pt_regs *ctx) {
    return openssl_enter(ctx, SL_DIRECTION_READ, 0);
}

SEC("uprobe/openssl_write_enter")
int openssl_write_enter(struct pt_regs *ctx) {
    return openssl_enter(ctx, SL_DIRECTION_WRITE, 0);
}

SEC("uprobe/openssl_read_ex_enter")
int openssl_read_ex_enter(struct pt_regs *ctx) {
    return openssl_enter(ctx, SL_DIRECTION_READ, PT_REGS_PARM4(ctx));
}

SEC("uprobe/openssl_write_ex_enter")
int openssl_write_ex_enter(struct pt_regs *ctx) {
    return openssl_enter(ctx, SL_DIRECTION_WRITE, PT_REGS_PARM4(ctx));
}

SEC("uprobe/openssl_write_ex2_enter")
int openssl_write_ex2_enter(struct pt_regs *ctx) {
    return openssl_enter(ctx, SL_DIRECTION_WRITE, PT_REGS_PARM5(ctx));
}

SEC("uprobe/openssl_sendfile_enter")
int openssl_sendfile_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_OPENSSL,
        .direction = SL_DIRECTION_WRITE,
        .is_wide = true,
        .has_no_buffer = true,
    };
    return enter_call(ctx, shape);
}

/*
 * Where SSL_free is not known: whatever was at the address that SSL *SSL_new(SSL_CTX *) returns is
 * over.
 */
SEC("uretprobe/openssl_new_exit")
int openssl_new_exit(struct pt_regs *ctx) {
    return close_connection(PT_REGS_RC(ctx));
}

/* Entry of SSL_free. */
SEC("uprobe/openssl_free_enter")
int openssl_free_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
