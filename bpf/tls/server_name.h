/*
 * The name of the server that a client wants (RFC 6066, 3), as programs give it to their library:
 *
 * - long SSL_ctrl(SSL *, int command, long type, void *name), which SSL_set_tlsext_host_name is.
 * - int gnutls_server_name_set(session, type, const void *name, size_t bytes)
 * - SECStatus SSL_SetURL(PRFileDesc *, const char *name)
 * - func hostnameInSNI(name string) string of Go's crypto/tls: within a client's handshake, with
 * the name of its configuration.
 */
#pragma once

#include "../kernel/bounds.h"
#include "call.h"
#include "connection.h"
#include "go_handshake.h"

static __always_inline int report_server_name(u64 object, u64 name, u64 bytes, u32 stack) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!name || !is_seen(pid_tgid >> 32))
        return 0;
    struct connection_key key = {.object = object, .pid = pid_tgid >> 32};
    struct connection *connection = connection_of(&key, bpf_ktime_get_boot_ns(), stack);
    if (!connection)
        return 0;
    connection->handshake_side = SL_SIDE_CLIENT;
    u64 pending = pending_bytes();
    struct sl_server_name_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    u64 wanted = at_most(bytes, sizeof(record->name) - 1);
    long read = bpf_probe_read_user_str(record->name, sizeof(record->name), (void *)name);
    if (read <= 1) {
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return 0;
    }
    u64 length = read - 1;
    record->header = record_header(SL_RECORD_SERVER_NAME, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    record->process.start_ns = connection->process_start_ns;
    record->process.pid = key.pid;
    record->process.tid = pid_tgid;
    record->object = object;
    record->generation = connection->generation;
    record->stack = connection->stack;
    __builtin_memset(record->pad, 0, sizeof(record->pad));
    record->name_bytes = length < wanted ? length : wanted;
    submit(record, sizeof(*record), pending);
    return 0;
}

/* SSL_CTRL_SET_TLSEXT_HOSTNAME and TLSEXT_NAMETYPE_host_name of openssl/tls1.h. */
#define OPENSSL_SET_HOST_NAME 55

SEC("uprobe/openssl_ctrl_enter")
int openssl_ctrl_enter(struct pt_regs *ctx) {
    if ((s32)PT_REGS_PARM2(ctx) != OPENSSL_SET_HOST_NAME || PT_REGS_PARM3(ctx) != 0)
        return 0;
    return report_server_name(PT_REGS_PARM1(ctx), PT_REGS_PARM4(ctx), ~0ULL, SL_STACK_OPENSSL);
}

/* GNUTLS_NAME_DNS of gnutls/gnutls.h. */
#define GNUTLS_NAME_DNS 1

SEC("uprobe/gnutls_server_name_enter")
int gnutls_server_name_enter(struct pt_regs *ctx) {
    if ((s32)PT_REGS_PARM2(ctx) != GNUTLS_NAME_DNS)
        return 0;
    return report_server_name(PT_REGS_PARM1(ctx), PT_REGS_PARM3(ctx), PT_REGS_PARM4(ctx),
                              SL_STACK_GNUTLS);
}

SEC("uprobe/nss_server_name_enter")
int nss_server_name_enter(struct pt_regs *ctx) {
    return report_server_name(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), ~0ULL, SL_STACK_NSS);
}

static __always_inline int go_server_name(struct pt_regs *ctx, const bool has_registers) {
    struct goroutine_call_key key = {
        .goroutine = goroutine_of(ctx, has_registers),
        .depth = NAMELESS_DEPTH,
        .pid = bpf_get_current_pid_tgid() >> 32,
    };
    struct handshake_call *found = bpf_map_lookup_elem(&goroutine_handshakes, &key);
    if (!found)
        return 0;
    struct handshake_call call = *found;
    /* Once: with too small a stack the function begins a second time. */
    bpf_map_delete_elem(&goroutine_handshakes, &key);
    u64 name = has_registers ? GO_ARGUMENT_1(ctx) : go_stack_word(ctx, 0);
    u64 bytes = has_registers ? GO_ARGUMENT_2(ctx) : go_stack_word(ctx, 1);
    return report_server_name(call.connection.object, name, bytes, SL_STACK_GO);
}

SEC("uprobe/go_server_name_enter")
int go_server_name_enter(struct pt_regs *ctx) {
    return go_server_name(ctx, true);
}

SEC("uprobe/go_stack_server_name_enter")
int go_stack_server_name_enter(struct pt_regs *ctx) {
    return go_server_name(ctx, false);
}
