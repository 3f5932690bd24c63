/*
 * GnuTLS. https://www.gnutls.org/manual/gnutls.html#Data-transfer-and-termination
 *
 * - ssize_t gnutls_record_recv(session, void *data, size_t capacity): above 0, the bytes read.
 * - gnutls_record_recv_seq: the same, with room for the sequence number behind.
 * - ssize_t gnutls_record_send(session, const void *data, size_t bytes): above 0, the bytes taken.
 * - gnutls_record_send2, gnutls_record_send_range: the same, with more behind.
 *
 * - gnutls_record_recv_early_data: as gnutls_record_recv.
 * - gnutls_record_send_early_data only keeps its data: the handshake sends it by
 * gnutls_record_send.
 * - ssize_t gnutls_record_recv_packet(session, gnutls_packet_t *): above 0, the bytes of the
 * packet.
 * - ssize_t gnutls_record_send_file(session, int file, off_t *, size_t bytes): above 0, the bytes
 *   sent. Made of gnutls_record_send, or of the kernel's own TLS, which leaves a gap of known size.
 * - int gnutls_record_uncork(session, unsigned wait): sends, by gnutls_record_send, what calls of
 *   it were given since gnutls_record_cork.
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

/* Where it goes on with its arguments in registers that the place names. */
SEC("uprobe/gnutls_recv_at")
int gnutls_recv_at(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_READ,
        .is_wide = true,
        .place = bpf_get_attach_cookie(ctx),
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

SEC("uprobe/gnutls_sendfile_enter")
int gnutls_sendfile_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_WRITE,
        .is_wide = true,
        .has_no_buffer = true,
    };
    return enter_call(ctx, shape);
}

SEC("uprobe/gnutls_packet_enter")
int gnutls_packet_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_READ,
        .is_wide = true,
        .is_packet = true,
    };
    return enter_call(ctx, shape);
}

/* Sends of a connection by the thread that runs are not counted, or are again. */
static __always_inline void set_quiet(u64 session, u64 pid_tgid, u64 tid, u64 place) {
    struct connection_key key = {
        .object = session,
        .pid = pid_tgid >> 32,
    };
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection)
        return;
    connection->quiet_tid = tid;
    connection->quiet_ns = bpf_ktime_get_boot_ns();
    connection->quiet_place = place;
}

SEC("uprobe/gnutls_uncork_enter")
int gnutls_uncork_enter(struct pt_regs *ctx) {
    struct call_shape shape = {
        .stack = SL_STACK_GNUTLS,
        .direction = SL_DIRECTION_WRITE,
        .has_no_buffer = true,
        .is_empty = true,
    };
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (is_seen(pid_tgid >> 32))
        set_quiet(PT_REGS_PARM1(ctx), pid_tgid, (u32)pid_tgid, PT_REGS_SP(ctx));
    return enter_call(ctx, shape);
}

SEC("uretprobe/gnutls_uncork_exit")
int gnutls_uncork_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct call call;
    if (take_call(ctx, pid_tgid, false, &call))
        set_quiet(call.object, pid_tgid, 0, NO_PLACE);
    return 0;
}

/* Entry of gnutls_deinit. */
SEC("uprobe/gnutls_deinit_enter")
int gnutls_deinit_enter(struct pt_regs *ctx) {
    return close_connection(PT_REGS_PARM1(ctx));
}
