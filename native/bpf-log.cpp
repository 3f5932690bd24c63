#include "bpf-log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace sightline {
namespace {

thread_local LogScope *current_scope = nullptr;

int print(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (current_scope == nullptr) {
        return 0;
    }
    // A verifier log arrives as one text of many lines: enough of it for its last lines is kept.
    char text[64 * 1024];
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length <= 0) {
        return 0;
    }
    const std::string whole(text);
    size_t start = 0;
    while (start < whole.size()) {
        size_t end = whole.find('\n', start);
        if (end == std::string::npos) {
            end = whole.size();
        }
        if (end > start) {
            current_scope->keep(static_cast<int>(level), whole.substr(start, end - start));
        }
        start = end + 1;
    }
    return 0;
}

bool has(const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
}

// Lines that only repeat that something failed, or frame a verifier log.
bool is_noise(const std::string &text) {
    return has(text, "failed to load object") || has(text, "BEGIN PROG LOAD LOG") ||
           has(text, "END PROG LOAD LOG") || has(text, "processed ") ||
           has(text, "verification time") || has(text, "stack depth") ||
           has(text, "failed to load: ") || text.compare(0, 1, ";") == 0;
}

} // namespace

LogScope::LogScope(int outward) : outer_(current_scope), outward_(outward) {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(print); });
    current_scope = this;
}

LogScope::~LogScope() {
    current_scope = outer_;
}

void LogScope::keep(int level, std::string text) {
    if (text.size() > kMaxLineBytes) {
        text.resize(kMaxLineBytes);
    }
    if (lines_.size() == kMaxLines) {
        lines_.erase(lines_.begin(), lines_.begin() + kMaxLines / 2);
    }
    if (outer_ != nullptr) {
        outer_->keep(std::max(level, outward_), text);
    }
    lines_.push_back({level, std::move(text)});
}

std::string LogScope::explanation() const {
    std::string fallback;
    for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
        if (line->level != LIBBPF_WARN) {
            continue;
        }
        if (!is_noise(line->text)) {
            return line->text;
        }
        if (fallback.empty()) {
            fallback = line->text;
        }
    }
    return fallback;
}

} // namespace sightline
