// Attaches one kernel program to places of a file, and ends that again.
//
// With uprobe_multi (Linux 6.6) one link holds all places of a file at which a program runs, and
// its end waits once until the program can run no more. Before, each place is a perf event of its
// own, and the kernel lets the ends of these wait one after the other.
#pragma once

#include "failure.h"

#include <cstdint>
#include <string>
#include <vector>

struct bpf_link;
struct bpf_program;

namespace sightline {

enum class LinkMethod { kMulti, kSingle };

// What this kernel can do. Needs the privilege to load programs; without it says kSingle.
LinkMethod best_link_method();

// To be called before the program is loaded: a program serves one method only.
void prepare_program(bpf_program *program, LinkMethod method);

// One program at one or more places of a file.
struct ProbeLink {
    // Of a uprobe_multi link, else -1.
    int fd = -1;
    // Of a perf event, else null.
    bpf_link *link = nullptr;
};

struct ProbePlace {
    // Of an instruction in its file.
    uint64_t offset = 0;
    // What the program is told of it: bpf/abi/place.h. Only with LinkMethod::kMulti.
    uint64_t cookie = 0;
};

struct ProbeRequest {
    bpf_program *program;
    std::string path;
    // Each once.
    std::vector<ProbePlace> places;
    // The return of the functions that begin at these places, instead of the places themselves.
    bool is_return;
    // It serves functions that read, and only those.
    bool is_read = false;
};

// 0, or the error number. On failure what was attached of the request is in `links` as well.
int attach_probe(const ProbeRequest &request, LinkMethod method, std::vector<ProbeLink> *links);

// No program of these links runs any more once it returns.
void end_probes(const std::vector<ProbeLink> &links);

} // namespace sightline
