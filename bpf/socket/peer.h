/*
 * Finds the socket that carries a TLS connection, and so whom the program talks to.
 *
 * - A thread that uses a TCP socket while it is in a TLS call does so for that call. The
 * tracepoints of plain.h see it, with the socket itself, whatever lies between. A goroutine may
 * change its thread in between, but not itself.
 * - A library that reads from and writes to memory uses no socket in its calls. What it has
 *   encrypted is sent next by the same thread: when that has a record of application data (RFC
 * 8446, 5.2) as long as what was written and the cipher's own bytes, the socket is taken to be the
 *   connection's, and is marked as inferred.
 *
 * Until a connection's socket is closed, nothing more is looked at.
 */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../kernel/go_registers.h"
#include "../maps/handshakes.h"
#include "../maps/peers.h"
#include "../ring/submit.h"
#include "../tls/connection.h"
#include "user_buffers.h"

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
/* include/net/sock.h: sending and receiving are over, as they are once the socket is closed. */
#define SHUTDOWN_MASK 3

/* Of a tracepoint's own argument, which the kernel lets its programs read as it is. */
static __always_inline bool is_tcp(const struct sock *sk) {
    return sk->sk_protocol == IPPROTO_TCP;
}

/* close(2) has ended both directions of a TCP socket. */
static __always_inline bool is_closed_tcp(const struct sock *sk) {
    return sk->sk_shutdown == SHUTDOWN_MASK && is_tcp(sk);
}

/* False for a socket that has no address as known here. */
static __always_inline bool describe_peer(struct sl_peer_record *record, struct sock *sk) {
    u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    __builtin_memset(record->address, 0, sizeof(record->address));
    __builtin_memset(record->local_address, 0, sizeof(record->local_address));
    if (family == AF_INET) {
        u32 address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
        u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        __builtin_memcpy(record->address, &address, sizeof(address));
        __builtin_memcpy(record->local_address, &local, sizeof(local));
        record->ip_version = 4;
    } else if (family == AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
        BPF_CORE_READ_INTO(&record->address, sk, __sk_common.skc_v6_daddr);
        BPF_CORE_READ_INTO(&record->local_address, sk, __sk_common.skc_v6_rcv_saddr);
        record->ip_version = 6;
    } else {
        return false;
    }
    u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);
    record->port = __builtin_bswap16(port);
    record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    /* Not connected (any more). */
    return record->port != 0;
}

/* Reports whom a connection is with. Without room it is tried again at the next use. */
static __always_inline void emit_peer(const struct connection_key *key,
                                      struct connection *connection, struct sock *sk,
                                      bool is_inferred) {
    u64 pending = pending_bytes();
    struct sl_peer_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return;
    }
    if (!describe_peer(record, sk)) {
        bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
        return;
    }
    record->header = record_header(SL_RECORD_PEER, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    record->process.start_ns = connection->process_start_ns;
    record->process.pid = key->pid;
    record->process.tid = bpf_get_current_pid_tgid();
    record->object = key->object;
    record->generation = connection->generation;
    record->stack = connection->stack;
    record->is_inferred = is_inferred;
    u64 cookie = bpf_get_socket_cookie(sk);
    connection->socket_cookie = cookie;
    bpf_map_update_elem(&socket_connections, &cookie, key, BPF_NOEXIST);
    submit(record, sizeof(*record), pending);
}

/* Whether the TLS call that the search began with is still going on, on this thread or goroutine.
 */
static __always_inline bool is_in_call(const struct peer_search *search, u64 pid_tgid) {
    if (search->stack == SL_STACK_GO) {
        struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
        if (GO_GOROUTINE_REGISTER(registers) != search->place)
            return false;
        struct goroutine_call_key key = {
            .goroutine = search->place,
            .depth = search->depth,
            .pid = search->connection.pid,
        };
        if (search->is_handshake) {
            struct handshake_call *begun = bpf_map_lookup_elem(&goroutine_handshakes, &key);
            return begun && begun->enter_ns == search->enter_ns;
        }
        struct goroutine_call *call = bpf_map_lookup_elem(&goroutine_calls, &key);
        return call && call->call.enter_ns == search->enter_ns;
    }
    struct call_key key = {.pid_tgid = pid_tgid, .stack_pointer = search->place};
    if (search->is_handshake) {
        struct handshake_call *call = bpf_map_lookup_elem(&handshake_calls, &key);
        return call && call->enter_ns == search->enter_ns;
    }
    struct call *call = bpf_map_lookup_elem(&calls, &key);
    return call && call->enter_ns == search->enter_ns && !call->is_finished;
}

/* The type of a record, its version and its length. */
#define RECORD_HEADER_BYTES 5
#define RECORD_TYPE_MIN 20
#define RECORD_APPLICATION_DATA 23
/* Plaintext of one record at most (RFC 8446, 5.1). */
#define RECORD_PLAINTEXT_MAX 16384

/*
 * What the ciphers add to a record: TLS 1.3's type and a tag of 16 or 8 bytes; TLS 1.2's tag of 16
 * or 8, with or without its nonce of 8.
 */
static __always_inline bool is_overhead_of_cipher(u64 bytes) {
    return bytes == 17 || bytes == 9 || bytes == 16 || bytes == 24;
}

/* Records that may be sent before it: the end of a handshake, and tickets for the next one. */
#define RECORDS_BEFORE 8

/* Whether the record that `plain_bytes` become is among the first that are sent. */
static __always_inline bool is_record_of(u64 plain_bytes) {
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    struct user_buffers buffers = {};
    if (!find_buffers(registers, &buffers))
        return false;
    u64 plain = plain_bytes < RECORD_PLAINTEXT_MAX ? plain_bytes : RECORD_PLAINTEXT_MAX;
    u64 at = 0;
    for (int i = 0; i <= RECORDS_BEFORE; i++) {
        u8 header[RECORD_HEADER_BYTES];
        if (buffers.first.bytes < at + sizeof(header) ||
            bpf_probe_read_user(header, sizeof(header), (void *)(buffers.first.address + at)))
            return false;
        u64 bytes = (u64)header[3] << 8 | header[4];
        if (header[0] < RECORD_TYPE_MIN || header[0] > RECORD_APPLICATION_DATA || header[1] != 3)
            return false;
        if (header[0] == RECORD_APPLICATION_DATA && bytes > plain &&
            is_overhead_of_cipher(bytes - plain))
            return true;
        at += sizeof(header) + bytes;
    }
    return false;
}

/* A socket that is known to carry another connection, which is there still, is not guessed at. */
static __always_inline bool is_taken(u64 cookie, const struct connection_key *key) {
    struct connection_key *owner = bpf_map_lookup_elem(&socket_connections, &cookie);
    if (!owner || (owner->object == key->object && owner->pid == key->pid))
        return false;
    struct connection_key other = *owner;
    struct connection *connection = bpf_map_lookup_elem(&connections, &other);
    return connection && connection->socket_cookie == cookie;
}

/* A TCP socket is used, which tells what the current thread searches for, if it does. */
static __always_inline void tell_peer(struct sock *sk, u64 pid_tgid, s32 result, bool is_sent) {
    struct peer_search *present = peer_search_of(pid_tgid);
    if (!present)
        return;
    struct peer_search search = *present;
    bool is_certain = is_in_call(&search, pid_tgid);
    if (!is_certain) {
        if (!is_sent || result <= 0 || !search.unsent_bytes)
            return;
        /* Whatever is sent next is what was written, or that is lost sight of. */
        present->unsent_bytes = 0;
        if (!is_record_of(search.unsent_bytes) ||
            is_taken(bpf_get_socket_cookie(sk), &search.connection))
            return;
    }
    struct connection *connection =
        connection_of(&search.connection, search.enter_ns, search.stack);
    if (connection && !connection->socket_cookie)
        emit_peer(&search.connection, connection, sk, !is_certain);
    if (connection && connection->socket_cookie)
        end_peer_search(pid_tgid);
}

/* TP_PROTO(struct sock *sk, int ret, int flags), Linux 6.3. Where unencrypted HTTP is captured as
 * well, the programs of plain.h do this. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(peer_sent, struct sock *sk, int result) {
    if (is_tcp(sk))
        tell_peer(sk, bpf_get_current_pid_tgid(), result, true);
    return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(peer_received, struct sock *sk, int result) {
    if (is_tcp(sk))
        tell_peer(sk, bpf_get_current_pid_tgid(), result, false);
    return 0;
}

/* The socket is gone: a TLS object that is used again is carried by another one. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(peer_closed, struct sock *sk) {
    if (!is_closed_tcp(sk))
        return 0;
    u64 cookie = bpf_get_socket_cookie(sk);
    struct connection_key *owner = bpf_map_lookup_elem(&socket_connections, &cookie);
    if (!owner)
        return 0;
    struct connection_key key = *owner;
    bpf_map_delete_elem(&socket_connections, &cookie);
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection && connection->socket_cookie == cookie)
        connection->socket_cookie = 0;
    return 0;
}
