// The probes of one TLS stack in one file: what was asked for, and which of it is in place.
#pragma once

#include "probe-links.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sightline {

// What is taken away from a file in which there is nothing to see.
enum class Rest {
    kNothing,
    // The functions that read: what is written to a peer is still seen.
    kReads,
    kEverything,
};

// Passed once by the thread that ends probes, waited for by whoever puts them back where a call
// must not be seen by both for a moment.
class EndOfProbes {
  public:
    void pass();
    void wait();

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_over_ = false;
};

// A file that can be opened again as long as this is there, whatever becomes of its names. It keeps
// the mount of the file busy, as probes do.
class HeldFile {
  public:
    explicit HeldFile(const std::string &path);
    ~HeldFile();
    HeldFile(const HeldFile &) = delete;
    HeldFile &operator=(const HeldFile &) = delete;
    // Empty when the file could not be opened.
    std::string path() const;

  private:
    int fd_;
};

struct PlacedRequest {
    ProbeRequest request;
    // Empty while it is not in place.
    std::vector<ProbeLink> links;
};

struct Attachment {
    std::vector<PlacedRequest> placed;
    std::unique_ptr<HeldFile> file;
    Rest rest = Rest::kNothing;
    // Of what was taken away last; null when nothing was.
    std::shared_ptr<EndOfProbes> end;
};

bool rests(const ProbeRequest &request, Rest rest);

// Takes out all links of what rests now and did not before.
std::vector<ProbeLink> take_resting(Attachment *attachment, Rest rest);
std::vector<ProbeLink> take_all(Attachment *attachment);

} // namespace sightline
