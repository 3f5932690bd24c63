// Moves records from the kernel's ring into a fixed pool of slabs, on a thread of its own.
//
// A slab holds whole records back to back, each padded to 8 bytes. When every slab is filled and
// none has been given back, reading stops: the ring fills, and the kernel drops and counts. Nothing
// here grows.
#pragma once

#include "failure.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace sightline {

struct Slab {
    uint8_t *memory = nullptr;
    size_t used = 0;
    size_t index = 0;
};

class SlabReader {
  public:
    static constexpr size_t kSlabCount = 8;
    static constexpr size_t kSlabBytes = 1024 * 1024;
    // Longest that a record waits on the ring while fewer bytes are pending than wake the reader.
    static constexpr int kPollMs = 20;

    SlabReader() = default;
    ~SlabReader();
    SlabReader(const SlabReader &) = delete;
    SlabReader &operator=(const SlabReader &) = delete;

    // `memories` are kSlabCount areas of kSlabBytes that outlive the reader. `on_ready` is called
    // on the reader's thread whenever take() has something new.
    Outcome start(int ring_fd, const std::vector<uint8_t *> &memories,
                  std::function<void()> on_ready);
    // The next filled slab, in order; to be given back.
    Slab *take();
    void give_back(Slab *slab);
    // Ends the thread. Filled slabs stay to be taken.
    void stop();
    // After stop(): moves what the ring still holds into free slabs. Returns whether it stopped for
    // want of one, so that the caller takes some and calls again.
    bool drain();
    uint64_t pending_bytes() const;

  private:
    bool map_ring(int ring_fd, int *error);
    void run();
    // Copies records until the ring is empty, no slab is free or `until_stop` and a stop was asked
    // for.
    void consume(bool until_stop);
    bool reserve(size_t bytes);
    void hand_over();

    const uint8_t *data_ = nullptr;
    volatile uint64_t *consumer_position_ = nullptr;
    const volatile uint64_t *producer_position_ = nullptr;
    void *consumer_page_ = nullptr;
    void *producer_pages_ = nullptr;
    size_t producer_bytes_ = 0;
    uint64_t mask_ = 0;
    bool starved_ = false;

    int epoll_fd_ = -1;
    int wake_fd_ = -1;
    pthread_t thread_ = {};
    bool running_ = false;
    std::atomic<bool> stopping_{false};
    std::function<void()> on_ready_;

    std::mutex mutex_;
    Slab slabs_[kSlabCount];
    // Last in, first out, so that a quiet host touches one slab only.
    Slab *free_[kSlabCount] = {};
    size_t free_count_ = 0;
    // Filled, oldest first.
    Slab *ready_[kSlabCount] = {};
    size_t ready_first_ = 0;
    size_t ready_count_ = 0;
    Slab *filling_ = nullptr;
};

} // namespace sightline
