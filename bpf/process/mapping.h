/*
 * A seen process maps a file that user space does not know, to run code from it: a library is
 * loaded, at the start of a program or by dlopen(3).
 */
#pragma once

#include <bpf/bpf_tracing.h>
#include "../kernel/task.h"
#include "../maps/known_files.h"
#include "../maps/policies.h"
#include "../ring/submit.h"

/* include/uapi/asm-generic/mman-common.h */
#define PROT_EXEC 0x4

static __always_inline struct sl_file file_of(struct inode *inode) {
    struct sl_file file = {
        .inode = BPF_CORE_READ(inode, i_ino),
        .bytes = BPF_CORE_READ(inode, i_size),
        .device = BPF_CORE_READ(inode, i_sb, s_dev),
        .generation = BPF_CORE_READ(inode, i_generation),
    };
    return file;
}

static __always_inline int report_mapping(const struct sl_file *file) {
    u64 now_ns = bpf_ktime_get_boot_ns();
    u64 *reported_ns = bpf_map_lookup_elem(&reported_files, file);
    if (reported_ns && now_ns - *reported_ns < REPORT_AGAIN_NS)
        return 0;
    struct sl_mapping_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
    /* Without room it is told when the file is mapped or touched next. */
    if (!record)
        return 0;
    record->header = record_header(SL_RECORD_MAPPING, sizeof(*record));
    record->time_ns = now_ns;
    describe_process(&record->process, current_task());
    record->file = *file;
    bpf_map_update_elem(&reported_files, file, &now_ns, BPF_ANY);
    /* At once: the library's first call may be a matter of milliseconds. */
    bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
    count(SL_DROP_NONE, sizeof(*record));
    return 0;
}

/* Called for every mmap(2) and for what the kernel itself maps at an exec, just before it is done.
 */
SEC("fentry/security_mmap_file")
int BPF_PROG(mapping_begin, struct file *file, unsigned long prot) {
    if (!(prot & PROT_EXEC) || !file || !is_seen(bpf_get_current_pid_tgid() >> 32))
        return 0;
    struct sl_file key = file_of(BPF_CORE_READ(file, f_inode));
    if (bpf_map_lookup_elem(&known_files, &key))
        return 0;
    return report_mapping(&key);
}

/*
 * Where functions of the kernel cannot be hooked, tracepoints tell of pages that get mapped from a
 * file when they are first touched. The instruction that touches them tells whether that is code:
 * it lies in the very file. A library is seen so when its first function runs, its initialiser.
 */
struct touched {
    struct inode *inode;
    u64 is_code;
};

static long compare_code(struct task_struct *task, struct vm_area_struct *vma,
                         struct touched *touched) {
    struct file *file = BPF_CORE_READ(vma, vm_file);
    touched->is_code = file && BPF_CORE_READ(file, f_inode) == touched->inode;
    return 0;
}

static __always_inline int touch_pages(struct address_space *mapping) {
    if (!is_seen(bpf_get_current_pid_tgid() >> 32))
        return 0;
    struct touched touched = {.inode = BPF_CORE_READ(mapping, host)};
    if (!touched.inode)
        return 0;
    struct sl_file key = file_of(touched.inode);
    if (bpf_map_lookup_elem(&known_files, &key))
        return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    u64 instruction = PT_REGS_IP_CORE(registers);
    if (bpf_find_vma(task, instruction, compare_code, &touched, 0) || !touched.is_code)
        return 0;
    return report_mapping(&key);
}

/* TP_PROTO(struct address_space *mapping, pgoff_t start, pgoff_t end), since Linux 6.9. */
SEC("tp_btf/mm_filemap_map_pages")
int BPF_PROG(mapping_touched, struct address_space *mapping) {
    return touch_pages(mapping);
}

/* TP_PROTO(struct address_space *mapping, pgoff_t index): of a page that had to be read first. */
SEC("tp_btf/mm_filemap_fault")
int BPF_PROG(mapping_read, struct address_space *mapping) {
    return touch_pages(mapping);
}
