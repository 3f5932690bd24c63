// Kernel programs that hook functions of the kernel, by what they are for. A kernel that cannot do
// that (no BPF trampolines, another function) is none that fails: each group is loaded on its own.
#pragma once

#include <string>
#include <vector>

namespace sightline {

constexpr const char *kMappings = "mappings";
// The same by tracepoints, where functions cannot be hooked.
constexpr const char *kTouchedMappings = "touched mappings";
// Unencrypted HTTP, and peers.
constexpr const char *kPlain = "plain";
// Whom TLS connections are with, by the sockets that carry them: where that is all.
constexpr const char *kPeers = "peers";
// What processes do whose probes were taken away.
constexpr const char *kResting = "resting";

// Empty when there is no such group.
std::vector<std::string> tracing_programs_of(const std::string &group);

} // namespace sightline
