/*
 * The few kernel types that are read, declared by hand: only the members used, found at load time
 * by name through the running kernel's BTF (CO-RE), so order and offsets here mean nothing.
 */
#pragma once

/* The helpers take the kernel's own register names instead of user space's. */
#define __VMLINUX_H__

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

/* The layout of saved registers is fixed ABI: not relocated. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
    unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
    u64 regs[31];
    u64 sp;
    u64 pc;
    u64 pstate;
};
struct pt_regs {
    struct user_pt_regs user_regs;
};
#else
#error "this machine's registers are not described"
#endif

/* Padding means nothing where offsets are relocated. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
    u32 len;
    const unsigned char *name;
};

struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
};

struct vfsmount {
    struct dentry *mnt_root;
};

struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
};

struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};

struct super_block {
    u32 s_dev;
};

struct inode {
    struct super_block *i_sb;
    unsigned long i_ino;
    long long i_size;
    u32 i_generation;
};

/* Under another name where the kernel's own one is taken for its fixed beginning. */
struct pt_regs___call {
    s32 syscallno;
};

struct in6_addr {
    u8 in6_u[16];
};

struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_dport;
    u16 skc_num;
    u16 skc_family;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
    struct sock_common __sk_common;
    u16 sk_protocol;
    u8 sk_shutdown;
};

struct address_space {
    struct inode *host;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
};

struct vm_area_struct {
    struct file *vm_file;
};

/* The page of a process's own probes; its beginning is where probed returns go. */
struct xol_area {
    unsigned long vaddr;
};

struct uprobes_state {
    struct xol_area *xol_area;
};

struct mm_struct {
    struct uprobes_state uprobes_state;
    unsigned long arg_start, arg_end, env_start, env_end;
    struct file *exe_file;
};

typedef struct {
    int counter;
} atomic_t;

struct signal_struct {
    atomic_t live;
    unsigned int flags;
    int group_exit_code;
};

#if defined(__TARGET_ARCH_x86)
struct thread_struct {
    unsigned long fsbase;
};
#endif

struct task_struct {
#if defined(__TARGET_ARCH_x86)
    struct thread_struct thread;
#endif
    int pid;
    int tgid;
    int exit_code;
    u64 start_boottime;
    u64 self_exec_id;
    unsigned in_execve : 1;
    u32 : 31;
    u32 : 32;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct mm_struct *mm;
    struct signal_struct *signal;
};

#pragma clang attribute pop
#pragma clang diagnostic pop
