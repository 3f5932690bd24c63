#include "attachment.h"

#include <fcntl.h>
#include <unistd.h>

namespace sightline {

void EndOfProbes::pass() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
}

void EndOfProbes::wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return is_over_; });
}

HeldFile::HeldFile(const std::string &path) : fd_(open(path.c_str(), O_PATH | O_CLOEXEC)) {
}

HeldFile::~HeldFile() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

std::string HeldFile::path() const {
    return fd_ < 0 ? "" : "/proc/self/fd/" + std::to_string(fd_);
}

bool rests(const ProbeRequest &request, Rest rest) {
    return rest == Rest::kEverything || (rest == Rest::kReads && request.is_read);
}

std::vector<ProbeLink> take_resting(Attachment *attachment, Rest rest) {
    std::vector<ProbeLink> taken;
    for (PlacedRequest &placed : attachment->placed) {
        if (rests(placed.request, rest)) {
            taken.insert(taken.end(), placed.links.begin(), placed.links.end());
            placed.links.clear();
        }
    }
    return taken;
}

std::vector<ProbeLink> take_all(Attachment *attachment) {
    return take_resting(attachment, Rest::kEverything);
}

} // namespace sightline
