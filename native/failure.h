// What every part of the addon returns when something fails: a stable code, and one line that says
// how to mend it.
#pragma once

#include <optional>
#include <string>

namespace sightline {

struct Failure {
    std::string code;
    std::string message;
};

// Empty when all went well.
using Outcome = std::optional<Failure>;

} // namespace sightline
