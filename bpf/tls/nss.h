/*
 * NSS, whose reading and writing is that of NSPR's descriptors.
 * https://firefox-source-docs.mozilla.org/nspr/reference/i_o_functions.html
 *
 * - PRInt32 PR_Read(PRFileDesc *, void *buffer, PRInt32 bytes), PR_Write: above 0, the bytes.
 * - PRInt32 PR_Recv(PRFileDesc *, void *buffer, PRInt32 bytes, PRIntn flags, timeout), PR_Send.
 * - PRInt32 PR_Writev(PRFileDesc *, const PRIOVec *parts, PRInt32 count, timeout): the same.
 * - PRFileDesc *SSL_ImportFD(PRFileDesc *model, PRFileDesc *): puts TLS on a descriptor.
 *
 * NSPR's functions serve files and plain sockets too, so only descriptors count that SSL_ImportFD
 * has returned. The layers below such a one are descriptors of their own, which it did not return:
 * bytes are seen once, whatever is layered.
 */
#pragma once

#include "../maps/nss_descriptors.h"
#include "call.h"
#include "close.h"
#include "part.h"

/* PR_MAX_IOVECTOR_SIZE of prio.h. */
#define NSS_PARTS_MAX 16

/* PRIOVec of prio.h. */
struct nss_part {
    u64 address;
    u32 bytes;
    u32 pad;
};

/* PR_MSG_PEEK of prio.h: what it shows is read again. */
#define NSS_PEEK 0x2

static __always_inline struct connection_key nss_key(u64 pid_tgid, u64 descriptor) {
    struct connection_key key = {
        .object = descriptor,
        .pid = pid_tgid >> 32,
    };
    return key;
}

static __always_inline bool is_nss_descriptor(u64 descriptor) {
    struct connection_key key = nss_key(bpf_get_current_pid_tgid(), descriptor);
    struct nss_descriptor *found = bpf_map_lookup_elem(&nss_descriptors, &key);
    if (!found)
        return false;
    struct task_struct *task = current_task();
    return found->process_start_ns == process_start_of(task) &&
           found->exec_id == BPF_CORE_READ(task, self_exec_id);
}

static __always_inline int nss_enter(struct pt_regs *ctx, u32 direction) {
    struct call_shape shape = {.stack = SL_STACK_NSS, .direction = direction};
    if (!is_nss_descriptor(PT_REGS_PARM1(ctx)))
        return 0;
    return enter_call(ctx, shape);
}

SEC("uprobe/nss_read_enter")
int nss_read_enter(struct pt_regs *ctx) {
    return nss_enter(ctx, SL_DIRECTION_READ);
}

SEC("uprobe/nss_recv_enter")
int nss_recv_enter(struct pt_regs *ctx) {
    if (PT_REGS_PARM4(ctx) & NSS_PEEK)
        return 0;
    return nss_enter(ctx, SL_DIRECTION_READ);
}

SEC("uprobe/nss_write_enter")
int nss_write_enter(struct pt_regs *ctx) {
    return nss_enter(ctx, SL_DIRECTION_WRITE);
}

/*
 * Most of these calls are not of TLS, so one that was not kept is no orphan, unlike those of the
 * other stacks.
 */
SEC("uretprobe/nss_call_exit")
int nss_call_exit(struct pt_regs *ctx) {
    return exit_call(ctx, false);
}

/* The call's buffer is the array of parts. */
SEC("uretprobe/nss_writev_exit")
int nss_writev_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    struct call call;
    if (!take_call(ctx, pid_tgid, false, &call))
        return 0;
    u64 left = carried_bytes(&call, PT_REGS_RC(ctx));
    u64 parts = call.buffer;
    if (left == 0)
        end_open_call(call.object, call.direction, call.enter_ns, pid_tgid);
    for (u32 i = 0; i < NSS_PARTS_MAX && left > 0; i++) {
        struct nss_part part = {};
        if (bpf_probe_read_user(&part, sizeof(part), (void *)(parts + i * sizeof(part))))
            break;
        call.buffer = part.address;
        call.capacity = part.bytes < left ? part.bytes : left;
        if (call.capacity > 0)
            carry_part(&call);
        left -= call.capacity;
    }
    if (left > 0) {
        call.buffer = 0;
        call.capacity = left;
        carry_part(&call);
    }
    return 0;
}

SEC("uretprobe/nss_import_exit")
int nss_import_exit(struct pt_regs *ctx) {
    u64 pid_tgid = bpf_get_current_pid_tgid();
    u64 descriptor = PT_REGS_RC(ctx);
    if (!descriptor || !is_seen(pid_tgid >> 32))
        return 0;
    struct connection_key key = nss_key(pid_tgid, descriptor);
    struct task_struct *task = current_task();
    struct nss_descriptor value = {
        .process_start_ns = process_start_of(task),
        .exec_id = BPF_CORE_READ(task, self_exec_id),
    };
    if (bpf_map_update_elem(&nss_descriptors, &key, &value, BPF_ANY))
        count(SL_DROP_TABLE, 0);
    return 0;
}

/* Entry of PR_Close. */
SEC("uprobe/nss_close_enter")
int nss_close_enter(struct pt_regs *ctx) {
    struct connection_key key = nss_key(bpf_get_current_pid_tgid(), PT_REGS_PARM1(ctx));
    if (bpf_map_delete_elem(&nss_descriptors, &key))
        return 0;
    return close_connection(PT_REGS_PARM1(ctx));
}
