/*
 * What a process without probes does before it can have a TLS connection that is not known yet: it
 * connects to another host, or makes a child that may. User space then puts the probes back, while
 * the handshake still goes on.
 */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../kernel/task.h"
#include "../maps/resting.h"
#include "../ring/submit.h"

/* include/net/tcp_states.h */
#define TCP_SYN_SENT 2

static __always_inline int report_wake(void) {
    if (!is_resting(bpf_get_current_pid_tgid() >> 32))
        return 0;
    struct sl_wake_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    if (!record) {
        count(SL_DROP_CONTROL, 0);
        return 0;
    }
    record->header = record_header(SL_RECORD_WAKE, sizeof(*record));
    record->time_ns = bpf_ktime_get_boot_ns();
    describe_process(&record->process, current_task());
    bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
    count(SL_DROP_NONE, sizeof(*record));
    return 0;
}

/* TP_PROTO(const struct sock *sk, const int oldstate, const int newstate): connect(2), which runs
 * in the process that calls it. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(resting_connect, struct sock *sk, int before, int after) {
    return after == TCP_SYN_SENT ? report_wake() : 0;
}

/* TP_PROTO(struct task_struct *parent, struct task_struct *child) */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(resting_fork, struct task_struct *parent, struct task_struct *child) {
    /* A new thread stays in its creator's group. */
    return child->tgid == parent->tgid ? 0 : report_wake();
}
