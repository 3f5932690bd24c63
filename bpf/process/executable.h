/* The path of a program's file, by walking up its directories and the mounts they are in. */
#pragma once

#include "../kernel/bounds.h"
#include "../kernel/task.h"

/* Directories and mounts passed on the way to the root. */
#define PATH_STEPS_MAX 96

static __always_inline struct mount *mount_of(struct vfsmount *vfsmount) {
    return (struct mount *)((void *)vfsmount - bpf_core_field_offset(struct mount, mnt));
}

/*
 * Writes the names from the file up to the root of its mount namespace, each with its terminator.
 * The kernel's own d_path is not offered to programs at this place.
 */
static __always_inline void describe_executable(struct sl_exec_record *record,
                                                struct task_struct *task) {
    struct file *file = BPF_CORE_READ(task, mm, exe_file);
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
    struct mount *mount = mount_of(vfsmount);
    struct dentry *mount_root = BPF_CORE_READ(mount, mnt.mnt_root);
    u64 used = 0;

    for (int i = 0; i < PATH_STEPS_MAX; i++) {
        used = forget_bounds(used, record->time_ns);
        struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
        if (dentry == mount_root || dentry == parent) {
            struct mount *above = BPF_CORE_READ(mount, mnt_parent);
            /* The namespace's root, or a file that is in no directory (memfd). */
            if (dentry != mount_root || above == mount || !above) {
                record->path_bytes = used;
                return;
            }
            dentry = BPF_CORE_READ(mount, mnt_mountpoint);
            mount = above;
            mount_root = BPF_CORE_READ(mount, mnt.mnt_root);
            continue;
        }
        if (used >= SL_PATH_MAX)
            break;
        const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
        long copied = bpf_probe_read_kernel_str(record->path + used, SL_PATH_COMPONENT_MAX, name);
        if (copied <= 0)
            break;
        used = used + copied;
        dentry = parent;
    }
    record->header.flags |= SL_EXEC_PATH_CUT;
    record->path_bytes = used;
}
