#include "probe-links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sightline {
namespace {

// include/uapi/linux/bpf.h since Linux 6.6; the headers that this is built with may be older.
constexpr uint32_t kAttachUprobeMulti = 48;
constexpr uint32_t kMultiReturn = 1;

struct MultiLinkAttributes {
    uint32_t program_fd;
    uint32_t target_fd;
    uint32_t attach_type;
    uint32_t flags;
    uint64_t path;
    uint64_t offsets;
    uint64_t reference_counter_offsets;
    uint64_t cookies;
    uint32_t count;
    uint32_t multi_flags;
    // 0: every process.
    uint32_t pid;
    uint32_t pad;
};

// Threads that end links at the same time: each only waits, so there are as many as an ordinary
// host has links, and they need next to no stack.
constexpr size_t kEndingThreadsMax = 256;
constexpr size_t kEndingStackBytes = 128 * 1024;

int create_multi_link(int program_fd, const char *path, const std::vector<ProbePlace> &places,
                      bool is_return) {
    std::vector<uint64_t> offsets;
    std::vector<uint64_t> cookies;
    for (const ProbePlace &place : places) {
        offsets.push_back(place.offset);
        cookies.push_back(place.cookie);
    }
    MultiLinkAttributes attributes{};
    attributes.program_fd = static_cast<uint32_t>(program_fd);
    attributes.attach_type = kAttachUprobeMulti;
    attributes.path = reinterpret_cast<uint64_t>(path);
    attributes.offsets = reinterpret_cast<uint64_t>(offsets.data());
    attributes.cookies = reinterpret_cast<uint64_t>(cookies.data());
    attributes.count = static_cast<uint32_t>(offsets.size());
    attributes.multi_flags = is_return ? kMultiReturn : 0;
    return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

int attach_multi(const ProbeRequest &request, std::vector<ProbeLink> *links) {
    const int fd = create_multi_link(bpf_program__fd(request.program), request.path.c_str(),
                                     request.places, request.is_return);
    if (fd < 0) {
        return errno;
    }
    links->push_back({.fd = fd});
    return 0;
}

int attach_single(const ProbeRequest &request, std::vector<ProbeLink> *links) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = request.is_return);
    for (const ProbePlace &place : request.places) {
        bpf_link *link = bpf_program__attach_uprobe_opts(request.program, -1, request.path.c_str(),
                                                         place.offset, &options);
        if (link == nullptr) {
            return errno;
        }
        links->push_back({.link = link});
    }
    return 0;
}

void end_probe(const ProbeLink &link) {
    if (link.fd >= 0) {
        close(link.fd);
    }
    if (link.link != nullptr) {
        bpf_link__destroy(link.link);
    }
}

// Links to end, taken one by one by whoever is free.
struct EndingWork {
    const std::vector<ProbeLink> *links;
    std::atomic<size_t> next{0};
};

void *end_on_thread(void *of) {
    auto *work = static_cast<EndingWork *>(of);
    for (;;) {
        const size_t at = work->next.fetch_add(1);
        if (at >= work->links->size()) {
            return nullptr;
        }
        end_probe((*work->links)[at]);
    }
}

} // namespace

LinkMethod best_link_method() {
    const bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = BPF_REG_0,
         .src_reg = 0,
         .off = 0,
         .imm = 0},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options,
                .expected_attach_type = static_cast<bpf_attach_type>(kAttachUprobeMulti));
    const int program =
        bpf_prog_load(BPF_PROG_TYPE_KPROBE, nullptr, "GPL", code, std::size(code), &options);
    if (program < 0) {
        return LinkMethod::kSingle;
    }
    // A kernel that knows such links looks at the path first, and "/" is no regular file.
    const int link = create_multi_link(program, "/", {ProbePlace{}}, false);
    const int error = link < 0 ? errno : 0;
    if (link >= 0) {
        close(link);
    }
    close(program);
    return error == EBADF ? LinkMethod::kMulti : LinkMethod::kSingle;
}

void prepare_program(bpf_program *program, LinkMethod method) {
    if (method == LinkMethod::kMulti) {
        bpf_program__set_expected_attach_type(program,
                                              static_cast<bpf_attach_type>(kAttachUprobeMulti));
    }
}

int attach_probe(const ProbeRequest &request, LinkMethod method, std::vector<ProbeLink> *links) {
    return method == LinkMethod::kMulti ? attach_multi(request, links)
                                        : attach_single(request, links);
}

// Each end waits until no program can run any more, some 90 ms each on Linux 6.18. Ends of
// uprobe_multi links that are asked for at the same time share their waits; perf events do not,
// because the kernel holds a lock meanwhile.
void end_probes(const std::vector<ProbeLink> &links) {
    EndingWork work{.links = &links};
    std::vector<pthread_t> threads;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kEndingStackBytes);
    while (threads.size() + 1 < std::min(links.size(), kEndingThreadsMax)) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, end_on_thread, &work) != 0) {
            // No more are allowed: those that there are take longer.
            break;
        }
        threads.push_back(thread);
    }
    pthread_attr_destroy(&attributes);
    end_on_thread(&work);
    for (const pthread_t thread : threads) {
        pthread_join(thread, nullptr);
    }
}

} // namespace sightline
