// How much of a file the locators look at before they give up on it.
#pragma once

#include <chrono>
#include <cstdint>

namespace sightline {

struct SearchLimits {
    // Of the machine code, and of the constants: the largest program seen has 250 MB of code.
    uint64_t code_bytes = 1024ull * 1024 * 1024;
    uint64_t constants_bytes = 1024ull * 1024 * 1024;
    // For one file, all stacks together.
    uint32_t time_ms = 5000;
};

// The time that is left for one file.
class Deadline {
  public:
    explicit Deadline(uint32_t time_ms)
        : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(time_ms)) {
    }
    bool has_passed() const {
        return std::chrono::steady_clock::now() >= end_;
    }

  private:
    std::chrono::steady_clock::time_point end_;
};

} // namespace sightline
