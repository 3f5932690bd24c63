// libbpf's log, which is global to the process, kept for the thread whose call causes it.
#pragma once

#include <string>
#include <vector>

namespace sightline {

struct LogLine {
    // 0 warning, 1 info, 2 debug.
    int level;
    std::string text;
};

// While it lives, lines that libbpf writes on this thread are kept, in it and in the scopes around
// it; others are discarded. At most kMaxLines.
class LogScope {
  public:
    // `outward`: the level, at least, at which the scopes around it get its lines: where a failure
    // is no cause for a warning.
    explicit LogScope(int outward = 0);
    ~LogScope();
    LogScope(const LogScope &) = delete;
    LogScope &operator=(const LogScope &) = delete;

    const std::vector<LogLine> &lines() const {
        return lines_;
    }
    // The warning that explains a failure best; empty when there was none.
    std::string explanation() const;
    void keep(int level, std::string text);

    static constexpr size_t kMaxLines = 4096;
    static constexpr size_t kMaxLineBytes = 1024;

  private:
    std::vector<LogLine> lines_;
    LogScope *outer_;
    int outward_;
};

} // namespace sightline
