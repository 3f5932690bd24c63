#include "bpf-agent.h"

#include "bpf-log.h"
#include "agent-object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sightline {
namespace {

// The part of the ring kept for control records, at most.
constexpr uint64_t kReserveMaxBytes = 1024 * 1024;
// Bytes pending at which user space is woken before its timer, at most.
constexpr uint64_t kWakeMaxBytes = 256 * 1024;

// Threads that may be ending probes; one more waits for the oldest.
constexpr size_t kMaxDetaching = 8;

// Which programs belong to a function that is probed. `exit` is empty where the return says
// nothing.
struct FunctionProbe {
    const char *function;
    const char *enter;
    const char *exit;
};

constexpr FunctionProbe kOpensslProbes[] = {
    {"SSL_read", "openssl_read_enter", "openssl_call_exit"},
    {"SSL_write", "openssl_write_enter", "openssl_call_exit"},
    {"SSL_read_ex", "openssl_read_ex_enter", "openssl_call_exit"},
    {"SSL_write_ex", "openssl_write_ex_enter", "openssl_call_exit"},
    {"SSL_write_ex2", "openssl_write_ex2_enter", "openssl_call_exit"},
    // What OpenSSL's functions, and its BIO, are made of: their first instruction is cheaper to
    // probe.
    {"ssl_read_internal", "openssl_read_ex_enter", "openssl_call_exit"},
    {"ssl_write_internal", "openssl_write_ex_enter", "openssl_call_exit"},
    // The same with flags before the count, since OpenSSL 3.3.
    {"ssl_write_internal_flags", "openssl_write_ex2_enter", "openssl_call_exit"},
    {"SSL_free", "openssl_free_enter", nullptr},
};

constexpr const char *kTracepoints[] = {"process_fork", "process_exec", "process_exit"};

const FunctionProbe *find_probe(const std::string &function) {
    for (const FunctionProbe &probe : kOpensslProbes) {
        if (function == probe.function) {
            return &probe;
        }
    }
    return nullptr;
}

std::string known_functions() {
    std::string names;
    for (const FunctionProbe &probe : kOpensslProbes) {
        names += (names.empty() ? "" : ", ") + std::string(probe.function);
    }
    return names;
}

std::string reason(int error, const LogScope &log) {
    const std::string explanation = log.explanation();
    std::string text = strerror(error);
    if (!explanation.empty()) {
        text += ": " + explanation;
    }
    return text;
}

bool is_permission(int error) {
    return error == EPERM || error == EACCES;
}

const char *const kPrivilegeAdvice =
    "run it as root or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE";

void destroy(const std::vector<bpf_link *> &links) {
    for (bpf_link *link : links) {
        bpf_link__destroy(link);
    }
}

void *destroy_on_thread(void *of) {
    const std::unique_ptr<std::vector<bpf_link *>> links(
        static_cast<std::vector<bpf_link *> *>(of));
    destroy(*links);
    return nullptr;
}

} // namespace

BpfAgent::~BpfAgent() {
    close();
}

Outcome BpfAgent::open(const AgentOptions &options) {
    Outcome failure = load(options);
    if (!failure) {
        failure = set_policy(static_cast<uint32_t>(getpid()), SL_POLICY_EXCLUDED);
    }
    if (!failure) {
        failure = attach_tracepoints();
    }
    if (failure) {
        close();
    }
    return failure;
}

Outcome BpfAgent::load(const AgentOptions &options) {
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
        return Failure{
            "SL_BPF_NO_BTF",
            "the kernel does not describe its types: /sys/kernel/btf/vmlinux is not readable; a "
            "kernel of at least 5.8 built with CONFIG_DEBUG_INFO_BTF is needed"};
    }
    LogScope log;
    LIBBPF_OPTS(bpf_object_open_opts, open_options, .object_name = "sightline");
    object_ = bpf_object__open_mem(kAgentObject, sizeof(kAgentObject), &open_options);
    if (object_ == nullptr) {
        return Failure{"SL_BPF_LOAD", "the kernel programs cannot be opened (" +
                                          reason(errno, log) +
                                          "); rebuild them with \"npm run setup\""};
    }
    records_ = bpf_object__find_map_by_name(object_, "records");
    policies_ = bpf_object__find_map_by_name(object_, "policies");
    counters_ = bpf_object__find_map_by_name(object_, "counters");
    bpf_map *configuration = bpf_object__find_map_by_name(object_, ".rodata.config");
    size_t config_bytes = 0;
    auto *config = configuration == nullptr
                       ? nullptr
                       : static_cast<sl_config *>(const_cast<void *>(
                             bpf_map__initial_value(configuration, &config_bytes)));
    if (records_ == nullptr || policies_ == nullptr || counters_ == nullptr || config == nullptr ||
        config_bytes < sizeof(sl_config)) {
        return Failure{"SL_BPF_LOAD",
                       "the kernel programs lack a table that is needed; rebuild them with "
                       "\"npm run setup\""};
    }
    const uint64_t ring_bytes = options.ring_bytes;
    config->data_limit_bytes = ring_bytes - std::min<uint64_t>(ring_bytes / 16, kReserveMaxBytes);
    config->wake_bytes = std::min<uint64_t>(ring_bytes / 8, kWakeMaxBytes);
    config->watch_all = options.watch_all ? 1 : 0;
    bpf_map__set_max_entries(records_, options.ring_bytes);

    const int error = -bpf_object__load(object_);
    if (error == 0) {
        return std::nullopt;
    }
    if (is_permission(error)) {
        return Failure{"SL_BPF_PERMISSION", std::string("the kernel refuses to load programs (") +
                                                reason(error, log) + "); " + kPrivilegeAdvice};
    }
    return Failure{"SL_BPF_LOAD", "the kernel does not accept the programs (" + reason(error, log) +
                                      "); Linux 5.8 or newer is needed"};
}

Outcome BpfAgent::attach_tracepoints() {
    LogScope log;
    for (const char *name : kTracepoints) {
        bpf_program *program = bpf_object__find_program_by_name(object_, name);
        bpf_link *link = program == nullptr ? nullptr : bpf_program__attach(program);
        if (link == nullptr) {
            const int error = errno;
            return Failure{is_permission(error) ? "SL_BPF_PERMISSION" : "SL_ATTACH_TRACEPOINT",
                           std::string("process events are not available: ") + name +
                               " cannot be attached (" + reason(error, log) + "); " +
                               kPrivilegeAdvice};
        }
        tracepoints_.push_back(link);
    }
    return std::nullopt;
}

Outcome BpfAgent::attach(const std::string &stack, const std::string &path,
                         const std::vector<std::pair<std::string, uint64_t>> &offsets, int *id) {
    if (stack != "openssl") {
        return Failure{"SL_ATTACH_STACK",
                       "there are no probes for the TLS stack \"" + stack + "\"; known: openssl"};
    }
    if (offsets.empty()) {
        return Failure{"SL_ATTACH_FUNCTION", "no function to probe in " + path +
                                                 " was named; known: " + known_functions()};
    }
    for (const auto &[name, offset] : offsets) {
        if (find_probe(name) == nullptr) {
            return Failure{"SL_ATTACH_FUNCTION", "there is no probe for a function \"" + name +
                                                     "\" of openssl; known: " + known_functions()};
        }
    }
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
        return Failure{
            "SL_ATTACH_PATH",
            "cannot probe " + path + " (" + strerror(errno) +
                "); it may have been removed or replaced, or its process may have ended"};
    }
    if (!S_ISREG(status.st_mode)) {
        return Failure{"SL_ATTACH_PATH", "cannot probe " + path + ": it is not a regular file"};
    }
    for (const auto &[name, offset] : offsets) {
        if (offset >= static_cast<uint64_t>(status.st_size)) {
            return Failure{"SL_ATTACH_OFFSET", "cannot probe " + name + " at " +
                                                   std::to_string(offset) +
                                                   ": that is beyond the end of " + path +
                                                   "; locate the function again"};
        }
    }
    std::vector<bpf_link *> links;
    for (const auto &[name, offset] : offsets) {
        Outcome failure = attach_function(name, path, offset, &links);
        if (failure) {
            destroy_later(std::move(links));
            return failure;
        }
    }
    *id = next_id_++;
    attached_.emplace(*id, std::move(links));
    return std::nullopt;
}

Outcome BpfAgent::attach_function(const std::string &name, const std::string &path, uint64_t offset,
                                  std::vector<bpf_link *> *links) {
    const FunctionProbe *probe = find_probe(name);
    // The return first: an entry that is noted before its return is probed would never be cleared.
    for (const bool is_return : {true, false}) {
        const char *program_name = is_return ? probe->exit : probe->enter;
        if (program_name == nullptr) {
            continue;
        }
        LogScope log;
        bpf_program *program = bpf_object__find_program_by_name(object_, program_name);
        LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = is_return);
        bpf_link *link =
            program == nullptr
                ? nullptr
                : bpf_program__attach_uprobe_opts(program, -1, path.c_str(), offset, &options);
        if (link == nullptr) {
            const int error = errno;
            const std::string what = "cannot probe " + name + " at " + std::to_string(offset) +
                                     " of " + path + " (" + reason(error, log) + "); ";
            if (is_permission(error)) {
                return Failure{"SL_ATTACH_PERMISSION", what + kPrivilegeAdvice};
            }
            if (error == EINVAL || error == ENOTSUP || error == EOPNOTSUPP) {
                return Failure{"SL_ATTACH_OFFSET",
                               what + "no instruction that can be probed is there"};
            }
            return Failure{"SL_ATTACH_FAILED",
                           what + "the file system or the kernel does not allow it"};
        }
        links->push_back(link);
    }
    return std::nullopt;
}

void BpfAgent::detach(int id) {
    auto found = attached_.find(id);
    if (found == attached_.end()) {
        return;
    }
    destroy_later(std::move(found->second));
    attached_.erase(found);
}

// The kernel lets each probe's end wait until no program of it can run any more, one after the
// other and some 90 ms each (measured on Linux 6.18): too long for the thread that JavaScript runs
// on.
void BpfAgent::destroy_later(std::vector<bpf_link *> links) {
    if (detaching_.size() >= kMaxDetaching) {
        pthread_join(detaching_.front(), nullptr);
        detaching_.erase(detaching_.begin());
    }
    auto owned = std::make_unique<std::vector<bpf_link *>>(std::move(links));
    pthread_t thread;
    if (pthread_create(&thread, nullptr, destroy_on_thread, owned.get()) != 0) {
        destroy(*owned);
        return;
    }
    // The thread's now.
    owned.release();
    detaching_.push_back(thread);
}

void BpfAgent::detach_all() {
    for (const auto &[id, links] : attached_) {
        destroy(links);
    }
    attached_.clear();
    destroy(tracepoints_);
    tracepoints_.clear();
    for (const pthread_t thread : detaching_) {
        pthread_join(thread, nullptr);
    }
    detaching_.clear();
}

Outcome BpfAgent::set_policy(uint32_t pid, sl_policy policy) {
    const int fd = bpf_map__fd(policies_);
    if (policy == SL_POLICY_DEFAULT) {
        bpf_map_delete_elem(fd, &pid);
        return std::nullopt;
    }
    const uint32_t value = policy;
    if (bpf_map_update_elem(fd, &pid, &value, BPF_ANY) != 0) {
        return Failure{"SL_POLICY_FULL",
                       "the policy of process " + std::to_string(pid) + " cannot be kept (" +
                           strerror(errno) +
                           "): the table of processes is full; watch fewer of them"};
    }
    // Of a process that has gone nobody would ever clear the entry, and its pid's next owner would
    // inherit it.
    if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) {
        bpf_map_delete_elem(fd, &pid);
    }
    return std::nullopt;
}

Counters BpfAgent::counters() const {
    Counters sums{};
    const int cpus = libbpf_num_possible_cpus();
    if (counters_ == nullptr || cpus <= 0) {
        return sums;
    }
    std::vector<sl_counter> values(static_cast<size_t>(cpus));
    for (uint32_t reason = 0; reason < SL_DROP_COUNT; reason++) {
        if (bpf_map_lookup_elem(bpf_map__fd(counters_), &reason, values.data()) != 0) {
            continue;
        }
        for (const sl_counter &value : values) {
            sums[reason].records += value.records;
            sums[reason].bytes += value.bytes;
        }
    }
    return sums;
}

int BpfAgent::ring_fd() const {
    return bpf_map__fd(records_);
}

void BpfAgent::close() {
    detach_all();
    if (object_ != nullptr) {
        bpf_object__close(object_);
        object_ = nullptr;
    }
    records_ = nullptr;
    policies_ = nullptr;
    counters_ = nullptr;
}

} // namespace sightline
