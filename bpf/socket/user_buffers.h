/*
 * Where a system call has its bytes: the arguments that the task entered the kernel with say so.
 * Numbers: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
 */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "../kernel/types.h"

#if defined(__TARGET_ARCH_x86)
enum { NR_READ = 0, NR_WRITE = 1, NR_READV = 19, NR_WRITEV = 20 };
enum { NR_SENDTO = 44, NR_RECVFROM = 45, NR_SENDMSG = 46, NR_RECVMSG = 47 };
#define CALL_NUMBER(registers) ((s64)BPF_CORE_READ(registers, orig_ax))
#define CALL_ARGUMENT_2(registers) BPF_CORE_READ(registers, si)
#define CALL_ARGUMENT_3(registers) BPF_CORE_READ(registers, dx)
#else
enum { NR_READ = 63, NR_WRITE = 64, NR_READV = 65, NR_WRITEV = 66 };
enum { NR_SENDTO = 206, NR_RECVFROM = 207, NR_SENDMSG = 211, NR_RECVMSG = 212 };
#define CALL_NUMBER(registers) ((s64)BPF_CORE_READ((struct pt_regs___call *)(registers), syscallno))
#define CALL_ARGUMENT_2(registers) BPF_CORE_READ(registers, user_regs.regs[1])
#define CALL_ARGUMENT_3(registers) BPF_CORE_READ(registers, user_regs.regs[2])
#endif

/* struct iovec of user space. */
struct user_part {
    u64 address;
    u64 bytes;
};

/* The beginning of struct msghdr (struct user_msghdr) of user space. */
struct user_message {
    u64 name;
    u32 name_bytes;
    u32 pad;
    u64 parts;
    u64 part_count;
};

/* Either one part, in `first`, or an array of them in user space. */
struct user_buffers {
    struct user_part first;
    u64 parts;
    u64 part_count;
};

/* False for what is not known: sendfile, splice, io_uring, the calls for several messages. */
static __always_inline bool find_buffers(struct pt_regs *registers, struct user_buffers *found) {
    struct user_message message;
    u64 argument = CALL_ARGUMENT_2(registers);
    found->parts = 0;
    found->part_count = 0;
    switch (CALL_NUMBER(registers)) {
    case NR_READ:
    case NR_WRITE:
    case NR_SENDTO:
    case NR_RECVFROM:
        found->first.address = argument;
        found->first.bytes = CALL_ARGUMENT_3(registers);
        return true;
    case NR_READV:
    case NR_WRITEV:
        found->parts = argument;
        found->part_count = CALL_ARGUMENT_3(registers);
        break;
    case NR_SENDMSG:
    case NR_RECVMSG:
        if (bpf_probe_read_user(&message, sizeof(message), (void *)argument))
            return false;
        found->parts = message.parts;
        found->part_count = message.part_count;
        break;
    default:
        return false;
    }
    return found->part_count > 0 &&
           bpf_probe_read_user(&found->first, sizeof(found->first), (void *)found->parts) == 0;
}
