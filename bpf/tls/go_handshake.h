/*
 * Handshakes of Go's crypto/tls. Each runs once for a connection, on its goroutine:
 *
 * - func (c *Conn) clientHandshake(ctx context.Context) error, serverHandshake; before Go 1.17
 * without a context, and with everything on the stack.
 * - func (c *Conn) sendAlert(err alert) error: why a side gives up is told to the other one.
 *
 * An alert of the other side is in the error: *net.OpError{Op: "remote error", Err: alert}.
 */
#pragma once

#include "go.h"
#include "handshake.h"

/* In place of a depth: the goroutine's newest handshake as a client, until it has named its server.
 */
#define NAMELESS_DEPTH ~0ULL

static __always_inline void note_nameless(const struct goroutine_call_key *frame,
                                          const struct handshake_call *call) {
    struct goroutine_call_key key = *frame;
    key.depth = NAMELESS_DEPTH;
    bpf_map_update_elem(&goroutine_handshakes, &key, call, BPF_ANY);
}

static __always_inline int go_handshake(struct pt_regs *ctx, u32 side, const bool has_registers) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct goroutine_call_key key;
    struct go_stack stack;
    if (!is_seen(pid_tgid >> 32) || !find_frame(ctx, pid_tgid, has_registers, 0, &key, &stack))
        return 0;
    u64 object = has_registers ? GO_ARGUMENT_1(ctx) : go_stack_word(ctx, 0);
    struct handshake_call call = {
        .connection = {.object = object, .pid = pid_tgid >> 32},
        .enter_ns = bpf_ktime_get_boot_ns(),
    };
    if (!begin_handshake(&call.connection, call.enter_ns, SL_STACK_GO, side))
        return 0;
    if (bpf_map_update_elem(&goroutine_handshakes, &key, &call, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    if (side == SL_SIDE_CLIENT)
        note_nameless(&key, &call);
    struct peer_search search = {
        .connection = call.connection,
        .enter_ns = call.enter_ns,
        .place = key.goroutine,
        .depth = key.depth,
        .stack = SL_STACK_GO,
        .is_handshake = true,
    };
    search_peer(&search, pid_tgid);
    return 0;
}

SEC("uprobe/go_client_handshake_enter")
int go_client_handshake_enter(struct pt_regs *ctx) {
    return go_handshake(ctx, SL_SIDE_CLIENT, true);
}

SEC("uprobe/go_server_handshake_enter")
int go_server_handshake_enter(struct pt_regs *ctx) {
    return go_handshake(ctx, SL_SIDE_SERVER, true);
}

SEC("uprobe/go_stack_client_handshake_enter")
int go_stack_client_handshake_enter(struct pt_regs *ctx) {
    return go_handshake(ctx, SL_SIDE_CLIENT, false);
}

SEC("uprobe/go_stack_server_handshake_enter")
int go_stack_server_handshake_enter(struct pt_regs *ctx) {
    return go_handshake(ctx, SL_SIDE_SERVER, false);
}

/* net.OpError: Op string; Net string; Source, Addr Addr; Err error. */
#define OP_ERROR_ERR 64

struct go_word_pair {
    u64 first;
    u64 second;
};

/* 0 when the error is none that brings an alert. */
static __always_inline u32 alert_in_error(u64 error) {
    static const char remote_error[] = "remote error";
    struct go_word_pair text = {};
    struct go_word_pair inner = {};
    char found[sizeof(remote_error) - 1];
    u8 alert = 0;
    if (bpf_probe_read_user(&text, sizeof(text), (void *)error) || text.second != sizeof(found) ||
        bpf_probe_read_user(found, sizeof(found), (void *)text.first))
        return 0;
    for (u32 i = 0; i < sizeof(found); i++)
        if (found[i] != remote_error[i])
            return 0;
    if (bpf_probe_read_user(&inner, sizeof(inner), (void *)(error + OP_ERROR_ERR)) ||
        bpf_probe_read_user(&alert, sizeof(alert), (void *)inner.second))
        return 0;
    return alert;
}

/* Before 1.17 the error is on the stack behind the connection, which is the only argument. */
#define GO_STACK_HANDSHAKE_ERROR 1

/* At the return instructions: the error is an interface, of which the first word is 0 for none. */
static __always_inline int go_handshake_end(struct pt_regs *ctx, const bool has_registers) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct goroutine_call_key key;
    struct go_stack stack;
    if (!is_seen(pid_tgid >> 32) || !find_frame(ctx, pid_tgid, has_registers, 0, &key, &stack))
        return 0;
    struct handshake_call *entry = bpf_map_lookup_elem(&goroutine_handshakes, &key);
    if (!entry)
        return 0;
    struct handshake_call call = *entry;
    bpf_map_delete_elem(&goroutine_handshakes, &key);
    key.depth = NAMELESS_DEPTH;
    bpf_map_delete_elem(&goroutine_handshakes, &key);
    struct connection *connection = bpf_map_lookup_elem(&connections, &call.connection);
    if (!connection)
        return 0;
    if (!(has_registers ? GO_RESULT(ctx) : go_stack_word(ctx, GO_STACK_HANDSHAKE_ERROR))) {
        end_handshake(&call.connection, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
        return 0;
    }
    u64 error =
        has_registers ? GO_ARGUMENT_2(ctx) : go_stack_word(ctx, GO_STACK_HANDSHAKE_ERROR + 1);
    u32 received = alert_in_error(error);
    u32 sent = connection->handshake_code;
    u32 kind = received ? SL_CODE_ALERT_RECEIVED : sent ? SL_CODE_ALERT_SENT : SL_CODE_NONE;
    end_handshake(&call.connection, connection, SL_HANDSHAKE_FAILED, kind,
                  received ? received : sent);
    return 0;
}

SEC("uprobe/go_handshake_return")
int go_handshake_return(struct pt_regs *ctx) {
    return go_handshake_end(ctx, true);
}

SEC("uprobe/go_stack_handshake_return")
int go_stack_handshake_return(struct pt_regs *ctx) {
    return go_handshake_end(ctx, false);
}

static __always_inline int go_alert(u64 object, u8 alert) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct connection_key key = {.object = object, .pid = pid_tgid >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection && connection->handshake_state == HANDSHAKE_OPEN)
        connection->handshake_code = alert;
    return 0;
}

SEC("uprobe/go_alert_enter")
int go_alert_enter(struct pt_regs *ctx) {
    return go_alert(GO_ARGUMENT_1(ctx), GO_ARGUMENT_2(ctx));
}

SEC("uprobe/go_stack_alert_enter")
int go_stack_alert_enter(struct pt_regs *ctx) {
    return go_alert(go_stack_word(ctx, 0), go_stack_word(ctx, 1));
}
