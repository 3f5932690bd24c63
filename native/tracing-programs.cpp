#include "tracing-programs.h"

namespace sightline {

std::vector<std::string> tracing_programs_of(const std::string &group) {
    if (group == kMappings) {
        return {"mapping_begin"};
    }
    if (group == kTouchedMappings) {
        return {"mapping_touched", "mapping_read"};
    }
    if (group == kPlain) {
        return {"plain_sent", "plain_received", "plain_closed", "peer_closed"};
    }
    if (group == kPeers) {
        return {"peer_sent", "peer_received", "peer_closed"};
    }
    if (group == kResting) {
        return {"resting_connect", "resting_fork"};
    }
    return {};
}

} // namespace sightline
