/*
 * BoringSSL, as Chromium's relatives and Bun carry it.
 * https://commondatastorage.googleapis.com/chromium-boringssl-docs/ssl.h.html
 *
 * - int SSL_read(SSL *, void *buffer, int capacity): above 0, the bytes read.
 * - int SSL_write(SSL *, const void *buffer, int bytes): the same.
 * - SSL *SSL_new(SSL_CTX *): whatever was at that address is over.
 * - int SSL_do_handshake(SSL *): below 0, the handshake goes on, or has failed.
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
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct connection_key key = {.object = PT_REGS_PARM1(ctx), .pid = pid_tgid >> 32};
    if (is_seen(key.pid))
        begin_handshake(&key, bpf_ktime_get_boot_ns(), SL_STACK_BORINGSSL, SL_SIDE_UNKNOWN);
    return enter_call(ctx, shape);
}

SEC("uretprobe/boringssl_handshake_exit")
int boringssl_handshake_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct call call;
    s32 result = PT_REGS_RC(ctx);
    if (!take_call(ctx, pid_tgid, false, &call))
        return 0;
    struct connection_key key = {
        .object = call.object,
        .pid = pid_tgid >> 32,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection && result == 1)
        end_handshake(&key, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
    if (connection && result < 0 && connection->position[SL_DIRECTION_READ] > 0)
        return close_connection(call.object);
    return 0;
}

/* Entry of SSL_free. */
SEC("uprobe/boringssl_free_enter")
int boringssl_free_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
