/*
 * TLS handshakes, from the first call of a handshake function for a connection to the one in which
 * it was completed or failed: with non-blocking sockets there are many calls.
 *
 * Functions that call one another (SSL_connect, SSL_do_handshake, the state machine below them) may
 * all be probed: whichever returns the outcome first reports it, the others find it over. So do
 * calls after that, for what TLS 1.3 sends later and for a renegotiation.
 */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../maps/handshakes.h"
#include "../maps/policies.h"
#include "call.h"
#include "close.h"
#include "connection.h"
#include "handshake_end.h"
#include "peer_search.h"

/* The first of several calls begins it. NULL when there is none to follow. */
static __always_inline struct connection *begin_handshake(const struct connection_key *key, u64 now,
                                                          u32 stack, u32 side) {
    struct connection *connection = connection_of(key, now, stack);
    if (!connection || connection->handshake_state == HANDSHAKE_OVER)
        return NULL;
    /* Observation began after the handshake: what is called now is for something later. */
    if (connection->handshake_state == HANDSHAKE_NONE &&
        (connection->position[SL_DIRECTION_READ] || connection->position[SL_DIRECTION_WRITE]))
        return NULL;
    if (connection->handshake_state == HANDSHAKE_NONE) {
        connection->handshake_state = HANDSHAKE_OPEN;
        connection->handshake_ns = now;
    }
    if (side != SL_SIDE_UNKNOWN)
        connection->handshake_side = side;
    return connection;
}

static __always_inline int enter_handshake(struct pt_regs *ctx, u64 object, u32 stack, u32 side) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct handshake_call call = {
        .connection = {.object = object, .pid = pid_tgid >> 32},
        .enter_ns = bpf_ktime_get_boot_ns(),
    };
    struct connection *connection = begin_handshake(&call.connection, call.enter_ns, stack, side);
    if (!connection)
        return 0;
    struct call_key key = {.pid_tgid = pid_tgid, .stack_pointer = PT_REGS_SP(ctx)};
    if (bpf_map_update_elem(&handshake_calls, &key, &call, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    bpf_map_update_elem(&handshake_threads, &pid_tgid, &key, BPF_ANY);
    struct peer_search search = {
        .connection = call.connection,
        .enter_ns = call.enter_ns,
        .place = key.stack_pointer,
        .stack = stack,
        .is_handshake = true,
    };
    search_peer(&search, pid_tgid);
    return 0;
}

/* Takes the call off the table. False when its entry was not kept, which most calls of these
 * functions are not: they come after the handshake. */
static __always_inline bool leave_handshake(struct pt_regs *ctx, struct handshake_call *left) {
    struct call_key key = {
        .pid_tgid = bpf_get_current_pid_tgid(),
        .stack_pointer = PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES,
    };
    struct handshake_call *call = bpf_map_lookup_elem(&handshake_calls, &key);
    if (!call)
        return false;
    *left = *call;
    bpf_map_delete_elem(&handshake_calls, &key);
    return true;
}

/* The key of the connection whose handshake the thread is in. */
static __always_inline struct connection_key *key_in_handshake(void) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct call_key *found = bpf_map_lookup_elem(&handshake_threads, &pid_tgid);
    if (!found)
        return NULL;
    struct call_key key = *found;
    struct handshake_call *call = bpf_map_lookup_elem(&handshake_calls, &key);
    return call ? &call->connection : NULL;
}

static __always_inline struct connection *connection_in_handshake(void) {
    struct connection_key *found = key_in_handshake();
    if (!found)
        return NULL;
    struct connection_key key = *found;
    return bpf_map_lookup_elem(&connections, &key);
}

/* The first error that is raised within a handshake is why it fails, if it does. */
static __always_inline int note_handshake_error(u32 code) {
    struct connection *connection = connection_in_handshake();
    if (connection && connection->handshake_state == HANDSHAKE_OPEN && !connection->handshake_code)
        connection->handshake_code = code;
    return 0;
}

/* What a function that asks for the verdict on a certificate was asked about. */
static __always_inline int enter_question(struct pt_regs *ctx, u64 object, u64 answer_address) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    if (!is_seen(pid_tgid >> 32))
        return 0;
    struct handshake_call call = {
        .connection = {.object = object, .pid = pid_tgid >> 32},
        .enter_ns = answer_address,
    };
    struct call_key key = {.pid_tgid = pid_tgid, .stack_pointer = PT_REGS_SP(ctx)};
    bpf_map_update_elem(&handshake_calls, &key, &call, BPF_ANY);
    return 0;
}

/* The certificate of the other side was not found good; the program may go on all the same. */
static __always_inline void report_unverified(const struct handshake_call *question, u32 code_kind,
                                              u32 code) {
    if (code == 0)
        return;
    struct connection_key key = question->connection;
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (connection && connection->handshake_state != HANDSHAKE_NONE)
        emit_handshake(&key, connection, SL_HANDSHAKE_UNVERIFIED, code_kind, code);
}

/*
 * OpenSSL and what kept its interface: int SSL_do_handshake(SSL *), SSL_connect, SSL_accept; 1 when
 * it is completed. Below them int ossl_statem_connect(SSL *), ossl_statem_accept(SSL *), which the
 * reading and writing functions call as well.
 */
SEC("uprobe/openssl_handshake_enter")
int openssl_handshake_enter(struct pt_regs *ctx) {
    return enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_OPENSSL, SL_SIDE_UNKNOWN);
}

SEC("uprobe/openssl_connect_enter")
int openssl_connect_enter(struct pt_regs *ctx) {
    return enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_OPENSSL, SL_SIDE_CLIENT);
}

SEC("uprobe/openssl_accept_enter")
int openssl_accept_enter(struct pt_regs *ctx) {
    return enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_OPENSSL, SL_SIDE_SERVER);
}

/* A result of 0 or less is no failure by itself: the socket may not be ready. An error of the
 * library is, and was noted by openssl_error_enter. */
SEC("uretprobe/openssl_handshake_exit")
int openssl_handshake_exit(struct pt_regs *ctx) {
    struct handshake_call call;
    if (!leave_handshake(ctx, &call))
        return 0;
    struct connection *connection = bpf_map_lookup_elem(&connections, &call.connection);
    if (!connection)
        return 0;
    if ((s32)PT_REGS_RC(ctx) == 1)
        end_handshake(&call.connection, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
    else if (connection->handshake_code)
        end_handshake(&call.connection, connection, SL_HANDSHAKE_FAILED, SL_CODE_OPENSSL,
                      connection->handshake_code);
    return 0;
}

/* ERR_LIB_SSL of openssl/err.h: errors of other parts are often expected and taken back. */
#define OPENSSL_LIBRARY_SSL 20

static __always_inline int note_openssl_error(u32 library, u32 code) {
    if (library != OPENSSL_LIBRARY_SSL)
        return 0;
    return note_handshake_error(code);
}

/* Entry of SSL_clear, which every handshake begins with: an object that has carried nothing and
 * failed at nothing is not another connection yet. */
SEC("uprobe/openssl_clear_enter")
int openssl_clear_enter(struct pt_regs *ctx) {
    u64 object = PT_REGS_PARM1(ctx);
    struct connection_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
    struct connection *connection = bpf_map_lookup_elem(&connections, &key);
    if (!connection ||
        (connection->handshake_state != HANDSHAKE_OVER &&
         !connection->position[SL_DIRECTION_READ] && !connection->position[SL_DIRECTION_WRITE]))
        return 0;
    return close_connection(object);
}

/* void ERR_vset_error(int library, int reason, const char *format, va_list), since 3.0 */
SEC("uprobe/openssl_error_enter")
int openssl_error_enter(struct pt_regs *ctx) {
    return note_openssl_error(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
}

/* void ERR_put_error(int library, int function, int reason, const char *file, int line), before */
SEC("uprobe/openssl_put_error_enter")
int openssl_put_error_enter(struct pt_regs *ctx) {
    return note_openssl_error(PT_REGS_PARM1(ctx), PT_REGS_PARM3(ctx));
}

/* long SSL_get_verify_result(const SSL *) */
SEC("uprobe/openssl_verify_enter")
int openssl_verify_enter(struct pt_regs *ctx) {
    return enter_question(ctx, PT_REGS_PARM1(ctx), 0);
}

SEC("uretprobe/openssl_verify_exit")
int openssl_verify_exit(struct pt_regs *ctx) {
    struct handshake_call question;
    if (leave_handshake(ctx, &question))
        report_unverified(&question, SL_CODE_X509, PT_REGS_RC(ctx));
    return 0;
}

/* GnuTLS: int gnutls_handshake(session), 0 when it is completed. */
SEC("uprobe/gnutls_handshake_enter")
int gnutls_handshake_enter(struct pt_regs *ctx) {
    return enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_GNUTLS, SL_SIDE_UNKNOWN);
}

/* Those for which gnutls_error_is_fatal() says no: lib/errors.c of GnuTLS 3. */
static __always_inline bool is_gnutls_fatal(s32 result) {
    switch (result) {
    case -16: /* GNUTLS_E_WARNING_ALERT_RECEIVED */
    case -28: /* GNUTLS_E_AGAIN */
    case -37: /* GNUTLS_E_REHANDSHAKE */
    case -38: /* GNUTLS_E_GOT_APPLICATION_DATA */
    case -52: /* GNUTLS_E_INTERRUPTED */
        return false;
    default:
        return result < 0;
    }
}

SEC("uretprobe/gnutls_handshake_exit")
int gnutls_handshake_exit(struct pt_regs *ctx) {
    struct handshake_call call;
    if (!leave_handshake(ctx, &call))
        return 0;
    struct connection *connection = bpf_map_lookup_elem(&connections, &call.connection);
    if (!connection)
        return 0;
    s32 result = PT_REGS_RC(ctx);
    if (result == 0)
        end_handshake(&call.connection, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
    else if (is_gnutls_fatal(result))
        end_handshake(&call.connection, connection, SL_HANDSHAKE_FAILED, SL_CODE_GNUTLS, -result);
    return 0;
}

/* int gnutls_certificate_verify_peers2(session, unsigned *status) */
SEC("uprobe/gnutls_verify2_enter")
int gnutls_verify2_enter(struct pt_regs *ctx) {
    return enter_question(ctx, PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
}

/* int gnutls_certificate_verify_peers3(session, const char *name, unsigned *status) */
SEC("uprobe/gnutls_verify3_enter")
int gnutls_verify3_enter(struct pt_regs *ctx) {
    return enter_question(ctx, PT_REGS_PARM1(ctx), PT_REGS_PARM3(ctx));
}

SEC("uretprobe/gnutls_verify_exit")
int gnutls_verify_exit(struct pt_regs *ctx) {
    struct handshake_call question;
    u32 status = 0;
    if (!leave_handshake(ctx, &question) || (s32)PT_REGS_RC(ctx) != 0)
        return 0;
    if (bpf_probe_read_user(&status, sizeof(status), (void *)question.enter_ns) == 0)
        report_unverified(&question, SL_CODE_GNUTLS_STATUS, status);
    return 0;
}

/* NSS: SECStatus SSL_ForceHandshake(PRFileDesc *), 0 when it is completed. */
SEC("uprobe/nss_handshake_enter")
int nss_handshake_enter(struct pt_regs *ctx) {
    return enter_handshake(ctx, PT_REGS_PARM1(ctx), SL_STACK_NSS, SL_SIDE_UNKNOWN);
}

/* PR_WOULD_BLOCK_ERROR of prerr.h, without its sign. */
#define NSS_WOULD_BLOCK 5998

SEC("uretprobe/nss_handshake_exit")
int nss_handshake_exit(struct pt_regs *ctx) {
    struct handshake_call call;
    if (!leave_handshake(ctx, &call))
        return 0;
    struct connection *connection = bpf_map_lookup_elem(&connections, &call.connection);
    if (!connection)
        return 0;
    if ((s32)PT_REGS_RC(ctx) == 0)
        end_handshake(&call.connection, connection, SL_HANDSHAKE_COMPLETED, SL_CODE_NONE, 0);
    else if (connection->handshake_code && connection->handshake_code != NSS_WOULD_BLOCK)
        end_handshake(&call.connection, connection, SL_HANDSHAKE_FAILED, SL_CODE_NSS,
                      connection->handshake_code);
    return 0;
}

/* void PR_SetError(PRErrorCode, PRInt32): the last one before the return is the reason for it. */
SEC("uprobe/nss_error_enter")
int nss_error_enter(struct pt_regs *ctx) {
    struct connection *connection = connection_in_handshake();
    if (connection && connection->stack == SL_STACK_NSS)
        connection->handshake_code = -(s32)PT_REGS_PARM1(ctx);
    return 0;
}
