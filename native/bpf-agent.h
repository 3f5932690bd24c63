// The kernel side as an object: loads the embedded programs, attaches them, sets policies, reads
// counters. Knows nothing of JavaScript.
#pragma once

#include "attachment.h"
#include "failure.h"
#include "function-probes.h"
#include "probe-links.h"
#include "stack-objects.h"

#include "../bpf/abi/events.h"

#include <array>
#include <cstdint>
#include <map>
#include <pthread.h>
#include <string>
#include <vector>

struct bpf_map;
struct bpf_object;

namespace sightline {

struct AgentOptions {
    uint32_t ring_bytes;
    bool watch_all;
    // Programs that start in unwatched processes are seen until they are judged.
    bool judges_programs;
    // The names that programs give themselves are reported.
    bool judges_names;
    // Attaches as kernels before 6.6 do, even where more is possible.
    bool single_links;
    // Executable mappings are reported, where the kernel can.
    bool mappings;
    // Socket calls of plain HTTP are captured, where the kernel can.
    bool plain;
    // The programs of all stacks are loaded in the background, before anything needs them.
    bool load_ahead;
};

// Of use with LinkMethod::kMulti only.
struct KnownProbe {
    ProbePlace place;
    // Of a result: the returns that need no probe then.
    std::vector<uint64_t> covered_returns;
    // Of an entry: the return is probed there.
    bool has_return = false;
};

// A function that is to be probed, and where in its file.
struct FunctionPlace {
    std::string function;
    uint64_t offset;
    // Its return instructions, where those are to be probed.
    std::vector<uint64_t> returns;
    // Where the result is known before its return.
    std::vector<KnownProbe> results;
    // Through which all calls come, instead of `offset`; `returns` are then those that belong to
    // them.
    std::vector<KnownProbe> entries;
};

struct AttachTarget {
    std::string stack;
    // How the file's functions are called, where the stack has more than one way.
    std::string convention;
    std::string path;
    std::vector<FunctionPlace> places;
};

using Counters = std::array<sl_counter, SL_DROP_COUNT>;

class BpfAgent {
  public:
    BpfAgent() = default;
    ~BpfAgent();
    BpfAgent(const BpfAgent &) = delete;
    BpfAgent &operator=(const BpfAgent &) = delete;

    // Loads everything, leaves this process out and attaches the process tracepoints.
    Outcome open(const AgentOptions &options);

    // Probes every named function of one file. All or none: what was attached is undone on failure.
    Outcome attach(const AttachTarget &target, int *id);
    // Returns at once; the probes are gone within a second.
    void detach(int id);
    // Takes away what `rest` says of an attachment's probes, and puts the others back. What is put
    // back is in place when it returns; that may take a tenth of a second when it was taken away
    // just before. What is taken away is gone within as long. `*is_any`: some of them rest now.
    Outcome set_rest(int id, Rest rest, bool *is_any);
    // A resting process wakes user space when it connects to a host or forks.
    Outcome set_resting(uint32_t pid, bool is_resting);
    // The object's next call begins another connection.
    void forget_connection(uint32_t pid, uint64_t object);
    // No program runs any more once it returns; what they wrote stays readable.
    void detach_all();

    // `exec_id`: the program that SL_POLICY_UNWANTED is about.
    Outcome set_policy(uint32_t pid, sl_policy policy, uint64_t exec_id = 0);
    // Of the connection at `object` in `pid`; what is not a connection of this kernel side is kept
    // unused until others push it out.
    Outcome set_verdict(uint32_t pid, uint64_t object, const sl_verdict &verdict);
    // Its mappings are not reported any more, or are again.
    Outcome set_file_known(const sl_file &file, bool is_known);
    // Whether executable mappings are reported, and plain HTTP is captured: on most kernels.
    bool has_group(const std::string &group) const {
        return stacks_.find(group) != nullptr;
    }
    // Why a group of programs that was wanted is not there.
    const std::string &missing() const {
        return missing_;
    }
    // Sums over all CPUs.
    Counters counters() const;
    int ring_fd() const;
    LinkMethod link_method() const {
        return link_method_;
    }

    // Detaches and frees everything.
    void close();

  private:
    Outcome load(const AgentOptions &options);
    Outcome attach_tracepoints(bool with_names);
    bpf_object *open_object(const std::string &stack) const;
    Outcome load_stack(const std::string &stack, bpf_object **loaded) const;
    void load_others_ahead();
    bool attach_group(const std::string &group);
    static Outcome check(const AttachTarget &target);
    std::vector<ProbeRequest> plan(const AttachTarget &target) const;
    void plan_returns(const AttachTarget &target, const FunctionPlace &place,
                      const FunctionProbe &probe, std::vector<ProbeRequest> *requests) const;
    void plan_entries(const AttachTarget &target, const FunctionPlace &place,
                      const FunctionProbe &probe, std::vector<ProbeRequest> *entries,
                      std::vector<ProbeRequest> *returns) const;
    void add_place(const AttachTarget &target, const FunctionProbe &probe, const char *program_name,
                   const ProbePlace &place, bool is_return,
                   std::vector<ProbeRequest> *requests) const;
    Outcome put_back(Attachment *attachment, const std::string &path, Rest rest);
    Outcome attach_request(const ProbeRequest &request, std::vector<ProbeLink> *links);
    void end_later(std::vector<ProbeLink> links, std::shared_ptr<EndOfProbes> end = nullptr);

    // What belongs to no stack, and all tables.
    bpf_object *object_ = nullptr;
    StackObjects stacks_{[this](const std::string &stack, bpf_object **loaded) {
        return load_stack(stack, loaded);
    }};
    bpf_map *records_ = nullptr;
    bpf_map *policies_ = nullptr;
    bpf_map *verdicts_ = nullptr;
    bpf_map *known_files_ = nullptr;
    bpf_map *connections_ = nullptr;
    bpf_map *resting_processes_ = nullptr;
    std::string missing_;
    bpf_map *counters_ = nullptr;
    LinkMethod link_method_ = LinkMethod::kSingle;
    std::vector<ProbeLink> tracepoints_;
    std::map<int, Attachment> attached_;
    // Threads that end probes, oldest first.
    std::vector<pthread_t> detaching_;
    int next_id_ = 1;
};

} // namespace sightline
