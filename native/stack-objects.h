// The kernel programs of each stack, an object of its own for each. Verifying them takes the kernel
// up to a tenth of a second a stack, on a busy machine several times as long, and a program that
// has just started sends its first request sooner; so they are loaded ahead on a thread, and at
// once for whoever needs them before that.
#pragma once

#include "failure.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <set>
#include <string>
#include <vector>

struct bpf_object;

namespace sightline {

class StackObjects {
  public:
    // Called on any thread, and for several stacks at a time.
    using Load = std::function<Outcome(const std::string &stack, bpf_object **object)>;

    explicit StackObjects(Load load) : load_(std::move(load)) {
    }
    ~StackObjects();
    StackObjects(const StackObjects &) = delete;
    StackObjects &operator=(const StackObjects &) = delete;

    // The stack is loaded when this returns without a failure. Waits when another thread is at it.
    Outcome require(const std::string &stack);
    // Loads them one after another on a thread; what fails is told to who requires it. Once only.
    void load_ahead(std::vector<std::string> stacks);
    // nullptr when it is not loaded.
    bpf_object *find(const std::string &stack) const;
    // Frees what was loaded of one stack, or all; the latter waits for what is being loaded.
    void drop(const std::string &stack);
    void close();

  private:
    static void *run(void *self);

    const Load load_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, bpf_object *> objects_;
    std::set<std::string> loading_;
    std::vector<std::string> ahead_;
    std::optional<pthread_t> thread_;
    std::atomic<bool> stopping_{false};
};

} // namespace sightline
