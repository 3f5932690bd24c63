/*
 * Unencrypted HTTP: what seen processes send and receive on TCP sockets, whatever system call they
 * use. The tracepoints (Linux 6.3) come after the work, with the socket and the number of bytes;
 * where those are in user space, the call's own arguments tell.
 */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../kernel/task.h"
#include "../maps/plain_sockets.h"
#include "../tls/call.h"
#include "../tls/close.h"
#include "../tls/part.h"
#include "first_bytes.h"
#include "peer.h"
#include "user_buffers.h"

/* include/linux/socket.h */
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20

/* Parts of one writev or readv that are looked at; bytes in further ones are lost. */
#define PARTS_MAX 64

/* Nothing but this is to be paid for a socket once it is known to be of no interest. */
static __always_inline bool is_other(struct sock *sk) {
    u32 *kind = bpf_sk_storage_get(&socket_kinds, sk, NULL, 0);
    return kind && *kind == PLAIN_OTHER;
}

/* Keeps a judgement with the socket. Returns whether it is the one that is kept there. */
static __always_inline bool keep_kind(struct sock *sk, u32 kind) {
    u32 *kept = bpf_sk_storage_get(&socket_kinds, sk, &kind, BPF_SK_STORAGE_GET_F_CREATE);
    return kept && *kept == kind;
}

/* Judges by what one more call begins with; `known` is what the process knows of the socket. */
static __always_inline bool judge_http(struct sock *sk, const struct connection_key *key,
                                       const struct plain_socket *known,
                                       const struct user_buffers *buffers, u64 bytes) {
    u64 text = 0;
    u64 size = buffers->first.bytes < bytes ? buffers->first.bytes : bytes;
    /* Nothing that begins a message is shorter: a part so small is part of another. */
    if (size < sizeof(text) ||
        bpf_probe_read_user(&text, sizeof(text), (void *)buffers->first.address))
        text = 0;
    int first = judge_first(text);
    struct plain_socket socket = {.tries = known ? known->tries + 1 : 1};
    if (first == FIRST_HTTP)
        socket.kind = PLAIN_HTTP;
    else if (first == FIRST_TLS || socket.tries >= PLAIN_TRIES)
        socket.kind = PLAIN_OTHER;
    bool is_kept = socket.kind && keep_kind(sk, socket.kind);
    if (is_kept && socket.kind == PLAIN_OTHER)
        bpf_map_delete_elem(&plain_sockets, key);
    else
        bpf_map_update_elem(&plain_sockets, key, &socket, BPF_ANY);
    return first == FIRST_HTTP;
}

static __always_inline void carry_parts(struct call *part, const struct user_buffers *buffers,
                                        u64 bytes) {
    struct user_part at = buffers->first;
    for (u32 i = 0; i < PARTS_MAX; i++) {
        u64 size = at.bytes < bytes ? at.bytes : bytes;
        if (size > 0) {
            part->buffer = at.address;
            part->capacity = size;
            carry_part(part);
            bytes -= size;
        }
        if (bytes == 0 || i + 1 >= buffers->part_count)
            break;
        if (bpf_probe_read_user(&at, sizeof(at), (void *)(buffers->parts + (i + 1) * sizeof(at))))
            break;
    }
    if (bytes == 0)
        return;
    /* Not readable: lost, with their number known. */
    part->buffer = 0;
    part->capacity = bytes;
    carry_part(part);
}

static __always_inline int on_socket(struct sock *sk, s32 result, s32 flags, u32 direction) {
    if (!is_tcp(sk))
        return 0;
    u64 pid_tgid = bpf_get_current_pid_tgid();
    tell_peer(sk, pid_tgid, result, direction == SL_DIRECTION_WRITE);
    if (result <= 0 || (flags & MSG_PEEK) || is_other(sk) || !is_seen(pid_tgid >> 32))
        return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    /* The kernel's own threads have no buffers of user space. */
    if (!task->mm)
        return 0;
    struct connection_key key = {
        .object = PLAIN_OBJECT(bpf_get_socket_cookie(sk)),
        .pid = pid_tgid >> 32,
    };
    struct plain_socket *known = bpf_map_lookup_elem(&plain_sockets, &key);
    if (known && known->kind == PLAIN_OTHER)
        return 0;
    struct user_buffers buffers = {};
    bool is_readable =
        find_buffers((struct pt_regs *)bpf_task_pt_regs(task), &buffers) && !(flags & MSG_TRUNC);
    if (!is_readable) {
        buffers.first.bytes = 0;
        buffers.part_count = 0;
    }
    bool is_http =
        (known && known->kind == PLAIN_HTTP) || judge_http(sk, &key, known, &buffers, result);
    if (!is_http)
        return 0;
    struct call part = {
        .enter_ns = bpf_ktime_get_boot_ns(),
        .object = key.object,
        .direction = direction,
        .stack = SL_STACK_PLAIN,
    };
    struct connection *connection = connection_of(&key, part.enter_ns, SL_STACK_PLAIN);
    if (connection && !connection->socket_cookie)
        emit_peer(&key, connection, sk, false);
    carry_parts(&part, &buffers, result);
    return 0;
}

/* TP_PROTO(struct sock *sk, int ret, int flags). Peers are found here as well: a second program of
 * the same tracepoint would cost every socket call of the host as much again. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(plain_sent, struct sock *sk, int result, int flags) {
    return on_socket(sk, result, flags, SL_DIRECTION_WRITE);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(plain_received, struct sock *sk, int result, int flags) {
    return on_socket(sk, result, flags, SL_DIRECTION_READ);
}

/*
 * TP_PROTO(const struct sock *sk, const int oldstate, const int newstate). close(2) ends both
 * directions before it changes the state; shutdown(2) of one leaves the other open. The last holder
 * of the socket runs here, but for a connection that the peer reset, which its process's end ends.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(plain_closed, struct sock *sk) {
    if (!is_closed_tcp(sk))
        return 0;
    /* It may be connected anew. */
    bpf_sk_storage_delete(&socket_kinds, sk);
    u64 object = PLAIN_OBJECT(bpf_get_socket_cookie(sk));
    struct connection_key key = {
        .object = object,
        .pid = bpf_get_current_pid_tgid() >> 32,
    };
    if (!bpf_map_lookup_elem(&plain_sockets, &key))
        return 0;
    bpf_map_delete_elem(&plain_sockets, &key);
    return close_connection(object);
}
