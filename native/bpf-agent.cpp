#include "bpf-agent.h"

#include "bpf-log.h"
#include "agent-object.h"
#include "function-probes.h"
#include "tracing-programs.h"

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

const char *const kNoStack = "";
const char *const kEveryHostsStack = "openssl";

constexpr const char *kTracepoints[] = {"process_fork", "process_exec", "process_exit"};
// Only where names are asked for.
constexpr const char *kRename = "process_rename";

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

Failure open_failure(int error, const LogScope &log) {
    return {"SL_BPF_LOAD", "the kernel programs cannot be opened (" + reason(error, log) +
                               "); rebuild them with \"npm run setup\""};
}

Failure load_failure(int error, const LogScope &log) {
    if (is_permission(error)) {
        return {"SL_BPF_PERMISSION", std::string("the kernel refuses to load programs (") +
                                         reason(error, log) + "); " + kPrivilegeAdvice};
    }
    return {"SL_BPF_LOAD", "the kernel does not accept the programs (" + reason(error, log) +
                               "); Linux 5.8 or newer is needed"};
}

Failure path_failure(const std::string &path, int error) {
    return {"SL_ATTACH_PATH",
            "cannot probe " + path + " (" + strerror(error) +
                "); it may have been removed or replaced, or its process may have ended"};
}

// As struct connection_key of bpf/maps/connections.h.
struct connection_key {
    uint64_t object;
    uint32_t pid;
    uint32_t pad;
};

struct EndingProbes {
    std::vector<ProbeLink> links;
    std::shared_ptr<EndOfProbes> end;
};

void end_probes_of(const EndingProbes &ending) {
    end_probes(ending.links);
    if (ending.end) {
        ending.end->pass();
    }
}

void *end_on_thread(void *of) {
    const std::unique_ptr<EndingProbes> ending(static_cast<EndingProbes *>(of));
    end_probes_of(*ending);
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
        failure = attach_tracepoints(options.judges_names);
    }
    if (failure) {
        close();
        return failure;
    }
    if (options.load_ahead) {
        load_others_ahead();
    }
    if (options.mappings && !attach_group(kMappings)) {
        attach_group(kTouchedMappings);
    }
    if (!options.plain || !attach_group(kPlain)) {
        attach_group(kPeers);
    }
    attach_group(kResting);
    return std::nullopt;
}

Outcome BpfAgent::load(const AgentOptions &options) {
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
        return Failure{
            "SL_BPF_NO_BTF",
            "the kernel does not describe its types: /sys/kernel/btf/vmlinux is not readable; a "
            "kernel of at least 5.8 built with CONFIG_DEBUG_INFO_BTF is needed"};
    }
    link_method_ = options.single_links ? LinkMethod::kSingle : best_link_method();
    LogScope log;
    object_ = open_object(kNoStack);
    if (object_ == nullptr) {
        return open_failure(errno, log);
    }
    records_ = bpf_object__find_map_by_name(object_, "records");
    policies_ = bpf_object__find_map_by_name(object_, "policies");
    verdicts_ = bpf_object__find_map_by_name(object_, "verdicts");
    known_files_ = bpf_object__find_map_by_name(object_, "known_files");
    connections_ = bpf_object__find_map_by_name(object_, "connections");
    resting_processes_ = bpf_object__find_map_by_name(object_, "resting_processes");
    counters_ = bpf_object__find_map_by_name(object_, "counters");
    bpf_map *configuration = bpf_object__find_map_by_name(object_, ".rodata.config");
    size_t config_bytes = 0;
    auto *config = configuration == nullptr
                       ? nullptr
                       : static_cast<sl_config *>(const_cast<void *>(
                             bpf_map__initial_value(configuration, &config_bytes)));
    if (records_ == nullptr || policies_ == nullptr || verdicts_ == nullptr ||
        known_files_ == nullptr || connections_ == nullptr || resting_processes_ == nullptr ||
        counters_ == nullptr || config == nullptr || config_bytes < sizeof(sl_config)) {
        return Failure{"SL_BPF_LOAD",
                       "the kernel programs lack a table that is needed; rebuild them with "
                       "\"npm run setup\""};
    }
    const uint64_t ring_bytes = options.ring_bytes;
    config->data_limit_bytes = ring_bytes - std::min<uint64_t>(ring_bytes / 16, kReserveMaxBytes);
    config->wake_bytes = std::min<uint64_t>(ring_bytes / 8, kWakeMaxBytes);
    config->watch_all = options.watch_all ? 1 : 0;
    config->judges_programs = options.judges_programs ? 1 : 0;
    bpf_map__set_max_entries(records_, options.ring_bytes);
    bpf_program *rename = bpf_object__find_program_by_name(object_, kRename);
    if (rename != nullptr) {
        bpf_program__set_autoload(rename, options.judges_names);
    }
    const int error = -bpf_object__load(object_);
    if (error != 0) {
        return load_failure(error, log);
    }
    // What the kernel has against such programs is known at once.
    return stacks_.require(kEveryHostsStack);
}

// Those that the agents of many users are built with come first.
void BpfAgent::load_others_ahead() {
    std::vector<std::string> others = {"rustls", "boringssl"};
    for (const std::string &stack : probed_stacks()) {
        if (stack != kEveryHostsStack &&
            std::find(others.begin(), others.end(), stack) == others.end()) {
            others.push_back(stack);
        }
    }
    stacks_.load_ahead(std::move(others));
}

// The programs of one stack, or those of no stack; the others are not loaded with it.
bpf_object *BpfAgent::open_object(const std::string &stack) const {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "sightline");
    bpf_object *object = bpf_object__open_mem(kAgentObject, sizeof(kAgentObject), &options);
    if (object == nullptr) {
        return nullptr;
    }
    bpf_program *program = nullptr;
    bpf_object__for_each_program(program, object) {
        const bool is_probe = bpf_program__type(program) == BPF_PROG_TYPE_KPROBE;
        const bool is_tracing = bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
        const std::string name = bpf_program__name(program);
        const std::vector<std::string> traced = tracing_programs_of(stack);
        const bool is_wanted =
            stack == kNoStack
                ? !is_probe && !is_tracing
                : is_program_of(stack, name) || std::ranges::find(traced, name) != traced.end();
        const bool is_possible = link_method_ == LinkMethod::kMulti || !needs_cookies(name);
        bpf_program__set_autoload(program, is_wanted && is_possible);
        if (is_probe) {
            prepare_program(program, link_method_);
        }
    }
    return object;
}

// They share the tables of the first object.
Outcome BpfAgent::load_stack(const std::string &stack, bpf_object **loaded) const {
    LogScope log;
    bpf_object *object = open_object(stack);
    if (object == nullptr) {
        return open_failure(errno, log);
    }
    int error = 0;
    bpf_map *map = nullptr;
    bpf_object__for_each_map(map, object) {
        const bpf_map *shared = bpf_object__find_map_by_name(object_, bpf_map__name(map));
        if (error == 0) {
            error = shared == nullptr ? ENOENT : -bpf_map__reuse_fd(map, bpf_map__fd(shared));
        }
    }
    if (error == 0) {
        error = -bpf_object__load(object);
    }
    if (error != 0) {
        bpf_object__close(object);
        return load_failure(error, log);
    }
    *loaded = object;
    return std::nullopt;
}

Outcome BpfAgent::attach_tracepoints(bool with_names) {
    LogScope log;
    std::vector<const char *> names(std::begin(kTracepoints), std::end(kTracepoints));
    if (with_names) {
        names.push_back(kRename);
    }
    for (const char *name : names) {
        bpf_program *program = bpf_object__find_program_by_name(object_, name);
        bpf_link *link = program == nullptr ? nullptr : bpf_program__attach(program);
        if (link == nullptr) {
            const int error = errno;
            return Failure{is_permission(error) ? "SL_BPF_PERMISSION" : "SL_ATTACH_TRACEPOINT",
                           std::string("process events are not available: ") + name +
                               " cannot be attached (" + reason(error, log) + "); " +
                               kPrivilegeAdvice};
        }
        tracepoints_.push_back({.link = link});
    }
    return std::nullopt;
}

// All programs of the group or none; without them something else serves, or less is seen.
bool BpfAgent::attach_group(const std::string &group) {
    constexpr int kInformation = 1;
    LogScope optional(kInformation);
    Outcome failure = stacks_.require(group);
    std::vector<ProbeLink> links;
    for (const std::string &name : tracing_programs_of(group)) {
        if (failure) {
            break;
        }
        LogScope log;
        bpf_program *program = bpf_object__find_program_by_name(stacks_.find(group), name.c_str());
        bpf_link *link = program == nullptr ? nullptr : bpf_program__attach(program);
        if (link == nullptr) {
            failure = Failure{"SL_ATTACH_TRACING",
                              name + " cannot be attached (" + reason(errno, log) + ")"};
        } else {
            links.push_back({.link = link});
        }
    }
    if (!failure) {
        tracepoints_.insert(tracepoints_.end(), links.begin(), links.end());
        return true;
    }
    missing_ += (missing_.empty() ? "" : "; ") + group + ": " + failure->message;
    end_probes(links);
    stacks_.drop(group);
    return false;
}

Outcome BpfAgent::attach(const AttachTarget &target, int *id) {
    Outcome failure = check(target);
    if (!failure) {
        failure = stacks_.require(target.stack);
    }
    if (failure) {
        return failure;
    }
    Attachment attachment;
    for (const ProbeRequest &request : plan(target)) {
        attachment.placed.push_back({.request = request, .links = {}});
        failure = attach_request(request, &attachment.placed.back().links);
        if (failure) {
            end_later(take_all(&attachment));
            return failure;
        }
    }
    attachment.file = std::make_unique<HeldFile>(target.path);
    *id = next_id_++;
    attached_.emplace(*id, std::move(attachment));
    return std::nullopt;
}

Outcome BpfAgent::set_rest(int id, Rest rest, bool *is_any) {
    *is_any = false;
    const auto found = attached_.find(id);
    if (found == attached_.end()) {
        return std::nullopt;
    }
    Attachment &attachment = found->second;
    *is_any = std::ranges::any_of(attachment.placed, [rest](const PlacedRequest &placed) {
        return rests(placed.request, rest);
    });
    if (attachment.rest == rest) {
        return std::nullopt;
    }
    const std::string path = attachment.file->path();
    if (path.empty()) {
        return Failure{"SL_REST", "the file of these probes is not held open, so they stay"};
    }
    Outcome failure = put_back(&attachment, path, rest);
    if (failure) {
        return failure;
    }
    attachment.rest = rest;
    std::vector<ProbeLink> taken = take_resting(&attachment, rest);
    if (!taken.empty()) {
        attachment.end = std::make_shared<EndOfProbes>();
        end_later(std::move(taken), attachment.end);
    }
    return std::nullopt;
}

// In the order of the plan, for its reason.
Outcome BpfAgent::put_back(Attachment *attachment, const std::string &path, Rest rest) {
    for (PlacedRequest &placed : attachment->placed) {
        if (rests(placed.request, rest) || !placed.links.empty()) {
            continue;
        }
        if (attachment->end) {
            attachment->end->wait();
            attachment->end = nullptr;
        }
        ProbeRequest request = placed.request;
        request.path = path;
        Outcome failure = attach_request(request, &placed.links);
        if (failure) {
            end_later(std::move(placed.links));
            placed.links.clear();
            return failure;
        }
    }
    return std::nullopt;
}

Outcome BpfAgent::check(const AttachTarget &target) {
    const std::string &path = target.path;
    const std::string known = comma_separated(probed_functions(target.stack));
    if (known.empty()) {
        return Failure{"SL_ATTACH_STACK", "there are no probes for the TLS stack \"" +
                                              target.stack +
                                              "\"; known: " + comma_separated(probed_stacks())};
    }
    if (target.places.empty()) {
        return Failure{"SL_ATTACH_FUNCTION",
                       "no function to probe in " + path + " was named; known: " + known};
    }
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
        return path_failure(path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return Failure{"SL_ATTACH_PATH", "cannot probe " + path + ": it is not a regular file"};
    }
    const auto file_bytes = static_cast<uint64_t>(status.st_size);
    for (const FunctionPlace &place : target.places) {
        const FunctionProbe *probe =
            find_function_probe(target.stack, target.convention, place.function);
        if (probe == nullptr) {
            const std::string how =
                target.convention.empty() ? "" : " with the convention " + target.convention;
            return Failure{"SL_ATTACH_FUNCTION", "there is no probe for a function \"" +
                                                     place.function + "\" of " + target.stack +
                                                     how + "; known: " + known};
        }
        if (probe->exit_at == ExitAt::kInstructions && place.returns.empty()) {
            return Failure{"SL_ATTACH_FUNCTION", "cannot probe " + place.function + " of " + path +
                                                     ": its return instructions must be named"};
        }
        std::vector<uint64_t> offsets = place.returns;
        offsets.push_back(place.offset);
        for (const auto &known : {place.results, place.entries}) {
            for (const KnownProbe &probed : known) {
                offsets.push_back(probed.place.offset);
            }
        }
        for (const uint64_t offset : offsets) {
            if (offset >= file_bytes) {
                return Failure{"SL_ATTACH_OFFSET", "cannot probe " + place.function + " at " +
                                                       std::to_string(offset) +
                                                       ": that is beyond the end of " + path +
                                                       "; locate the function again"};
            }
        }
    }
    return std::nullopt;
}

void BpfAgent::plan_returns(const AttachTarget &target, const FunctionPlace &place,
                            const FunctionProbe &probe, std::vector<ProbeRequest> *requests) const {
    std::vector<uint64_t> covered;
    if (link_method_ == LinkMethod::kMulti && probe.result != nullptr) {
        for (const KnownProbe &result : place.results) {
            add_place(target, probe, probe.result, result.place, false, requests);
            covered.insert(covered.end(), result.covered_returns.begin(),
                           result.covered_returns.end());
        }
    }
    for (const uint64_t offset : place.returns) {
        if (std::find(covered.begin(), covered.end(), offset) == covered.end()) {
            add_place(target, probe, probe.exit, {offset}, false, requests);
        }
    }
}

void BpfAgent::plan_entries(const AttachTarget &target, const FunctionPlace &place,
                            const FunctionProbe &probe, std::vector<ProbeRequest> *entries,
                            std::vector<ProbeRequest> *returns) const {
    for (const KnownProbe &entry : place.entries) {
        add_place(target, probe, probe.enter_at, entry.place, false, entries);
        if (entry.has_return) {
            add_place(target, probe, probe.exit, entry.place, true, returns);
        }
    }
    for (const uint64_t offset : place.returns) {
        add_place(target, probe, probe.exit_instruction, {offset}, false, returns);
    }
}

// One request for each program, with every place that it is to run at.
std::vector<ProbeRequest> BpfAgent::plan(const AttachTarget &target) const {
    std::vector<ProbeRequest> requests;
    std::vector<ProbeRequest> entries;
    for (const FunctionPlace &place : target.places) {
        const FunctionProbe *probe =
            find_function_probe(target.stack, target.convention, place.function);
        if (link_method_ == LinkMethod::kMulti && probe->enter_at != nullptr &&
            !place.entries.empty()) {
            plan_entries(target, place, *probe, &entries, &requests);
            continue;
        }
        if (probe->enter != nullptr) {
            add_place(target, *probe, probe->enter, {place.offset}, false, &entries);
        }
        if (probe->exit_at == ExitAt::kReturn) {
            add_place(target, *probe, probe->exit, {place.offset}, true, &requests);
        }
        if (probe->exit_at == ExitAt::kInstructions) {
            plan_returns(target, place, *probe, &requests);
        }
    }
    // The returns first: an entry that is noted before its return is probed would never be cleared.
    requests.insert(requests.end(), entries.begin(), entries.end());
    return requests;
}

void BpfAgent::add_place(const AttachTarget &target, const FunctionProbe &probe,
                         const char *program_name, const ProbePlace &place, bool is_return,
                         std::vector<ProbeRequest> *requests) const {
    const bool is_read = is_reader(probe);
    bpf_program *program =
        bpf_object__find_program_by_name(stacks_.find(target.stack), program_name);
    for (ProbeRequest &request : *requests) {
        if (request.program == program && request.is_return == is_return &&
            request.is_read == is_read) {
            // Two names of one function: once.
            if (std::none_of(
                    request.places.begin(), request.places.end(),
                    [&](const ProbePlace &other) { return other.offset == place.offset; })) {
                request.places.push_back(place);
            }
            return;
        }
    }
    requests->push_back({program, target.path, {place}, is_return, is_read});
}

Outcome BpfAgent::attach_request(const ProbeRequest &request, std::vector<ProbeLink> *links) {
    LogScope log;
    const int error =
        request.program == nullptr ? ENOENT : attach_probe(request, link_method_, links);
    if (error == 0) {
        return std::nullopt;
    }
    std::string places;
    for (const ProbePlace &place : request.places) {
        places += (places.empty() ? "" : ", ") + std::to_string(place.offset);
    }
    const std::string what =
        "cannot probe " + request.path + " at " + places + " (" + reason(error, log) + "); ";
    if (is_permission(error)) {
        return Failure{"SL_ATTACH_PERMISSION", what + kPrivilegeAdvice};
    }
    // The kernel's own ENOTSUPP has no name outside of it.
    constexpr int kKernelNotSupported = 524;
    if (error == EINVAL || error == ENOTSUP || error == EOPNOTSUPP ||
        error == kKernelNotSupported) {
        return Failure{"SL_ATTACH_OFFSET", what + "no instruction that can be probed is there"};
    }
    return Failure{"SL_ATTACH_FAILED", what + "the file system or the kernel does not allow it"};
}

void BpfAgent::detach(int id) {
    auto found = attached_.find(id);
    if (found == attached_.end()) {
        return;
    }
    end_later(take_all(&found->second));
    attached_.erase(found);
}

// The end of a probe takes too long for the thread that JavaScript runs on: see end_probes.
void BpfAgent::end_later(std::vector<ProbeLink> links, std::shared_ptr<EndOfProbes> end) {
    if (detaching_.size() >= kMaxDetaching) {
        pthread_join(detaching_.front(), nullptr);
        detaching_.erase(detaching_.begin());
    }
    auto owned = std::make_unique<EndingProbes>(std::move(links), std::move(end));
    pthread_t thread;
    if (pthread_create(&thread, nullptr, end_on_thread, owned.get()) != 0) {
        end_probes_of(*owned);
        return;
    }
    // The thread's now.
    owned.release();
    detaching_.push_back(thread);
}

void BpfAgent::detach_all() {
    std::vector<ProbeLink> all = std::move(tracepoints_);
    tracepoints_.clear();
    for (auto &[id, attachment] : attached_) {
        const std::vector<ProbeLink> links = take_all(&attachment);
        all.insert(all.end(), links.begin(), links.end());
    }
    attached_.clear();
    end_probes(all);
    for (const pthread_t thread : detaching_) {
        pthread_join(thread, nullptr);
    }
    detaching_.clear();
}

Outcome BpfAgent::set_policy(uint32_t pid, sl_policy policy, uint64_t exec_id) {
    const int fd = bpf_map__fd(policies_);
    if (policy == SL_POLICY_DEFAULT) {
        bpf_map_delete_elem(fd, &pid);
        return std::nullopt;
    }
    const sl_process_policy value = {.exec_id = exec_id, .policy = policy, .pad = 0};
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

Outcome BpfAgent::set_verdict(uint32_t pid, uint64_t object, const sl_verdict &verdict) {
    const connection_key key = {.object = object, .pid = pid, .pad = 0};
    if (bpf_map_update_elem(bpf_map__fd(verdicts_), &key, &verdict, BPF_ANY) != 0) {
        return Failure{"SL_VERDICT", "the verdict on a connection of process " +
                                         std::to_string(pid) + " cannot be kept (" +
                                         strerror(errno) + "); its bytes are copied"};
    }
    return std::nullopt;
}

Outcome BpfAgent::set_resting(uint32_t pid, bool is_resting) {
    const int processes = bpf_map__fd(resting_processes_);
    const uint32_t yes = 1;
    if (!is_resting) {
        bpf_map_delete_elem(processes, &pid);
    } else if (bpf_map_update_elem(processes, &pid, &yes, BPF_ANY) != 0) {
        return Failure{"SL_REST", "process " + std::to_string(pid) +
                                      " cannot be marked as resting (" + strerror(errno) +
                                      "); its probes stay"};
    }
    return std::nullopt;
}

void BpfAgent::forget_connection(uint32_t pid, uint64_t object) {
    const connection_key key = {.object = object, .pid = pid, .pad = 0};
    bpf_map_delete_elem(bpf_map__fd(connections_), &key);
}

Outcome BpfAgent::set_file_known(const sl_file &file, bool is_known) {
    if (!is_known) {
        bpf_map_delete_elem(bpf_map__fd(known_files_), &file);
        return std::nullopt;
    }
    const uint32_t known = 1;
    if (bpf_map_update_elem(bpf_map__fd(known_files_), &file, &known, BPF_ANY) != 0) {
        return Failure{"SL_FILE_KNOWN", std::string("a file cannot be marked as known (") +
                                            strerror(errno) + "); its mappings are reported again"};
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
    stacks_.close();
    if (object_ != nullptr) {
        bpf_object__close(object_);
        object_ = nullptr;
    }
    records_ = nullptr;
    policies_ = nullptr;
    verdicts_ = nullptr;
    known_files_ = nullptr;
    connections_ = nullptr;
    resting_processes_ = nullptr;
    counters_ = nullptr;
}

} // namespace sightline
