/*
 * BoringSSL, as Chromium's relatives and Bun carry it.
 * https://commondatastorage.googleapis.com/chromium-boringssl-docs/ssl.h.html
 *
 * - int SSL_read(SSL *, void *buffer, int capacity): above 0, the bytes read.
 * - int SSL_write(SSL *, const void *buffer, int bytes): the same.
 * - SSL *SSL_new(SSL_CTX *): whatever was at that address is over.
 * - int SSL_do_handshake(SSL *): 1 when it is completed; below 0, it goes on, or has failed.
 *
 * Programs without symbols do not show where SSL_free is. There an object is known to be another
 * one by its creation, or by a handshake that goes on although answers have been read before. A
 * client that may send early data reads nothing before its handshake is over, so that is no
 * mistake.
 */
#pragma once

#include "call.h"
#include "close.h"
#include "handshake.h"

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

SEC("uretprobe/boringssl_new_exit")
int boringssl_new_exit(struct pt_regs *ctx) {
    return close_connection(PT_REGS_RC(ctx));
}

SEC("uprobe/boringssl_handshake_enter")
int boringssl_handshake_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_BORINGSSL, .has_no_buffer = true, .is_empty = true};
    enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_BORINGSSL, SL_SIDE_UNKNOWN);
    return enter_call(ctx, shape);
}

SEC("uretprobe/boringssl_handshake_exit")
int boringssl_handshake_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct handshake_call begun;
    struct call call;
    s32 result = PT_REGS_RC(ctx);
    leave_handshake(ctx, &begun);
    if (!take_call(ctx, pid_tgid, false, &call))
        return 0;
    struct connection_key key = {
        .object = call.object,
        .pid = pid_tgid >> 32,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return 0;
    if (result == 1)
        end_handshake(&key, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
    else if (connection->handshake_code)
        end_handshake(&key, connection, SL_HANDSHAKE_FAILED, SL_CODE_BORINGSSL,
                      connection->handshake_code);
    if (result < 0 && connection->position[SL_DIRECTION_READ] > 0)
        return close_connection(call.object);
    return 0;
}

/* ERR_LIB_SSL of BoringSSL's openssl/err.h. */
#define BORINGSSL_LIBRARY_SSL 16

/* void ERR_put_error(int library, int unused, int reason, const char *file, unsigned line) */
SEC("uprobe/boringssl_error_enter")
int boringssl_error_enter(struct pt_regs *ctx) {
    if ((u32)PT_REGS_PARM1(ctx) != BORINGSSL_LIBRARY_SSL)
        return 0;
    return note_handshake_error(PT_REGS_PARM3(ctx));
}

/* The same without the unused argument, which the optimizer may drop. */
SEC("uprobe/boringssl_short_error_enter")
int boringssl_short_error_enter(struct pt_regs *ctx) {
    if ((u32)PT_REGS_PARM1(ctx) != BORINGSSL_LIBRARY_SSL)
        return 0;
    return note_handshake_error(PT_REGS_PARM2(ctx));
}

/*
 * int X509_verify_cert(X509_STORE_CTX *): a program may have told the library to go on whatever
 * comes of it, and judge afterwards; so what tells is the result that is kept in the object, at a
 * distance that the locator has seen.
 */
static __always_inline int boringssl_verify(struct pt_regs *ctx, u64 distance) {
    struct connection_key *key = key_in_handshake();
    if (!key)
        return 0;
    return enter_question(ctx, key->object, PT_REGS_PARM1(ctx) + distance);
}

SEC("uprobe/boringssl_verify_68_enter")
int boringssl_verify_68_enter(struct pt_regs *ctx) {
    return boringssl_verify(ctx, 68);
}

SEC("uprobe/boringssl_verify_76_enter")
int boringssl_verify_76_enter(struct pt_regs *ctx) {
    return boringssl_verify(ctx, 76);
}

/* Up to here (X509_V_ERR_INVALID_CALL) the numbers are the same as OpenSSL's. */
#define BORINGSSL_VERIFY_ERROR_MAX 65

SEC("uretprobe/boringssl_verify_exit")
int boringssl_verify_exit(struct pt_regs *ctx) {
    struct handshake_call question;
    u32 error = 0;
    if (!leave_handshake(ctx, &question))
        return 0;
    if (bpf_probe_read_user(&error, sizeof(error), (void *)question.enter_ns) == 0)
        report_unverified(&question,
                          error <= BORINGSSL_VERIFY_ERROR_MAX ? SL_CODE_X509 : SL_CODE_NONE, error);
    return 0;
}

/* Entry of SSL_free. */
SEC("uprobe/boringssl_free_enter")
int boringssl_free_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
