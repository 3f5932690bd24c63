#include "stack-objects.h"

#include <bpf/libbpf.h>

#include <csignal>

namespace sightline {

StackObjects::~StackObjects() {
    close();
}

Outcome StackObjects::require(const std::string &stack) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !loading_.contains(stack); });
    if (objects_.contains(stack)) {
        return std::nullopt;
    }
    loading_.insert(stack);
    lock.unlock();
    bpf_object *object = nullptr;
    Outcome failure = load_(stack, &object);
    lock.lock();
    loading_.erase(stack);
    if (!failure) {
        objects_.emplace(stack, object);
    }
    changed_.notify_all();
    return failure;
}

void StackObjects::load_ahead(std::vector<std::string> stacks) {
    if (thread_) {
        return;
    }
    ahead_ = std::move(stacks);
    // Signals are the main thread's to handle.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run, this) == 0) {
        thread_ = thread;
        pthread_setname_np(thread, "sightline-load");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void *StackObjects::run(void *self) {
    auto *objects = static_cast<StackObjects *>(self);
    for (const std::string &stack : objects->ahead_) {
        if (objects->stopping_.load(std::memory_order_acquire)) {
            break;
        }
        objects->require(stack);
    }
    return nullptr;
}

bpf_object *StackObjects::find(const std::string &stack) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(stack);
    return found == objects_.end() ? nullptr : found->second;
}

void StackObjects::drop(const std::string &stack) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(stack);
    if (found != objects_.end()) {
        bpf_object__close(found->second);
        objects_.erase(found);
    }
}

void StackObjects::close() {
    stopping_.store(true, std::memory_order_release);
    if (thread_) {
        pthread_join(*thread_, nullptr);
        thread_.reset();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto &[stack, object] : objects_) {
        bpf_object__close(object);
    }
    objects_.clear();
}

} // namespace sightline
