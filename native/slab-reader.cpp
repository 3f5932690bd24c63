#include "slab-reader.h"

#include "../bpf/abi/events.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sightline {
namespace {

constexpr size_t pad8(size_t bytes) {
    return (bytes + 7) & ~static_cast<size_t>(7);
}

uint64_t load(const volatile uint64_t *position) {
    return __atomic_load_n(position, __ATOMIC_ACQUIRE);
}

} // namespace

SlabReader::~SlabReader() {
    stop();
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    if (consumer_page_ != nullptr) {
        munmap(consumer_page_, page);
    }
    if (producer_pages_ != nullptr) {
        munmap(producer_pages_, producer_bytes_);
    }
    if (epoll_fd_ >= 0) {
        close(epoll_fd_);
    }
    if (wake_fd_ >= 0) {
        close(wake_fd_);
    }
}

// https://docs.kernel.org/bpf/ringbuf.html: a page with the reader's position, one with the
// kernel's, and the data mapped twice in a row, so that a record that wraps reads contiguously.
bool SlabReader::map_ring(int ring_fd, int *error) {
    struct bpf_map_info info = {};
    uint32_t info_bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(ring_fd, &info, &info_bytes) != 0) {
        *error = errno;
        return false;
    }
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mask_ = info.max_entries - 1;
    void *consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
    if (consumer == MAP_FAILED) {
        *error = errno;
        return false;
    }
    consumer_page_ = consumer;
    producer_bytes_ = page + 2 * static_cast<size_t>(info.max_entries);
    void *producer =
        mmap(nullptr, producer_bytes_, PROT_READ, MAP_SHARED, ring_fd, static_cast<off_t>(page));
    if (producer == MAP_FAILED) {
        *error = errno;
        return false;
    }
    producer_pages_ = producer;
    consumer_position_ = static_cast<volatile uint64_t *>(consumer);
    producer_position_ = static_cast<const volatile uint64_t *>(producer);
    data_ = static_cast<const uint8_t *>(producer) + page;
    return true;
}

Outcome SlabReader::start(int ring_fd, const std::vector<uint8_t *> &memories,
                          std::function<void()> on_ready) {
    int error = 0;
    if (!map_ring(ring_fd, &error)) {
        return Failure{"SL_BPF_RING", std::string("the kernel's ring cannot be mapped (") +
                                          strerror(error) + "); a smaller ring may fit"};
    }
    for (size_t i = 0; i < kSlabCount; i++) {
        slabs_[i] = {memories[i], 0, i};
        free_[i] = &slabs_[i];
    }
    free_count_ = kSlabCount;
    on_ready_ = std::move(on_ready);

    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ring_event = {};
    ring_event.events = EPOLLIN | EPOLLET;
    struct epoll_event wake_event = {};
    wake_event.events = EPOLLIN;
    if (epoll_fd_ < 0 || wake_fd_ < 0 ||
        epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, ring_fd, &ring_event) != 0 ||
        epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &wake_event) != 0) {
        return Failure{"SL_BPF_RING", std::string("the kernel's ring cannot be waited for (") +
                                          strerror(errno) + "); raise the limit of open files"};
    }
    // Signals are the main thread's to handle.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(
        &thread_, nullptr,
        [](void *self) -> void * {
            static_cast<SlabReader *>(self)->run();
            return nullptr;
        },
        this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) {
        return Failure{"SL_BPF_RING",
                       std::string("no thread can be started to read the kernel's ring (") +
                           strerror(error) + "); raise the limit of processes"};
    }
    running_ = true;
    pthread_setname_np(thread_, "sightline-ring");
    return std::nullopt;
}

void SlabReader::run() {
    while (!stopping_.load(std::memory_order_acquire)) {
        struct epoll_event events[2];
        epoll_wait(epoll_fd_, events, 2, kPollMs);
        uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t taken = read(wake_fd_, &wakes, sizeof(wakes));
        consume(true);
    }
}

bool SlabReader::reserve(size_t bytes) {
    if (filling_ != nullptr && filling_->used + bytes > kSlabBytes) {
        hand_over();
    }
    if (filling_ != nullptr) {
        return true;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_count_ == 0) {
        return false;
    }
    filling_ = free_[--free_count_];
    filling_->used = 0;
    return true;
}

void SlabReader::hand_over() {
    if (filling_ == nullptr || filling_->used == 0) {
        return;
    }
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ready_[(ready_first_ + ready_count_) % kSlabCount] = filling_;
        ready_count_++;
        filling_ = nullptr;
    }
    if (on_ready_) {
        on_ready_();
    }
}

void SlabReader::consume(bool until_stop) {
    uint64_t position = *consumer_position_;
    starved_ = false;
    for (;;) {
        const uint64_t end = load(producer_position_);
        if (position >= end) {
            break;
        }
        bool waiting = false;
        while (position < end) {
            if (until_stop && stopping_.load(std::memory_order_relaxed)) {
                waiting = true;
                break;
            }
            const auto *header = reinterpret_cast<const uint32_t *>(data_ + (position & mask_));
            const uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
            if (length & BPF_RINGBUF_BUSY_BIT) {
                waiting = true;
                break;
            }
            const uint32_t room = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
            if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
                const uint8_t *record =
                    reinterpret_cast<const uint8_t *>(header) + BPF_RINGBUF_HDR_SZ;
                // A constant-size reservation may be larger than what the record means.
                uint32_t size = *reinterpret_cast<const uint32_t *>(record);
                if (size < sizeof(sl_record_header) || size > room) {
                    size = room;
                }
                const size_t padded = pad8(size);
                if (!reserve(padded)) {
                    starved_ = true;
                    waiting = true;
                    break;
                }
                memcpy(filling_->memory + filling_->used, record, size);
                memset(filling_->memory + filling_->used + size, 0, padded - size);
                filling_->used += padded;
            }
            position += pad8(room + BPF_RINGBUF_HDR_SZ);
            __atomic_store_n(consumer_position_, position, __ATOMIC_RELEASE);
        }
        if (waiting) {
            break;
        }
    }
    hand_over();
}

Slab *SlabReader::take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ready_count_ == 0) {
        return nullptr;
    }
    Slab *slab = ready_[ready_first_];
    ready_first_ = (ready_first_ + 1) % kSlabCount;
    ready_count_--;
    return slab;
}

void SlabReader::give_back(Slab *slab) {
    bool was_empty = false;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        was_empty = free_count_ == 0;
        free_[free_count_++] = slab;
    }
    // The reader may be waiting for room and not for data.
    if (was_empty) {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
    }
}

void SlabReader::stop() {
    if (!running_) {
        return;
    }
    stopping_.store(true, std::memory_order_release);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
    pthread_join(thread_, nullptr);
    running_ = false;
    on_ready_ = nullptr;
}

bool SlabReader::drain() {
    // A program that was running when it was detached may still be filling a record it has
    // reserved.
    constexpr int kTries = 50;
    constexpr useconds_t kTryUs = 200;
    for (int i = 0; i < kTries; i++) {
        consume(false);
        if (starved_) {
            return true;
        }
        if (pending_bytes() == 0) {
            return false;
        }
        usleep(kTryUs);
    }
    return false;
}

uint64_t SlabReader::pending_bytes() const {
    if (producer_position_ == nullptr) {
        return 0;
    }
    return load(producer_position_) - load(consumer_position_);
}

} // namespace sightline
