// findUsers(inodes): which processes run code of files, by proc_pid_maps(5).
#include "exports.h"
#include "js-error.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sightline {
namespace {

using Users = std::map<uint64_t, std::vector<int>>;

// "7f00-7f01 r-xp 00000000 08:01 1234 /path": the inode of an executable mapping, else 0.
uint64_t executable_inode(const std::string &line) {
    const size_t modes = line.find(' ');
    if (modes == std::string::npos || line.size() < modes + 5 || line[modes + 3] != 'x') {
        return 0;
    }
    size_t at = modes;
    for (int field = 0; field < 3 && at != std::string::npos; field++) {
        at = line.find(' ', at + 1);
    }
    return at == std::string::npos ? 0 : strtoull(line.c_str() + at + 1, nullptr, 10);
}

void add_users_in(int pid, Users *users) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    std::string line;
    while (std::getline(maps, line)) {
        const uint64_t inode = executable_inode(line);
        const auto found = inode == 0 ? users->end() : users->find(inode);
        if (found != users->end() && (found->second.empty() || found->second.back() != pid)) {
            found->second.push_back(pid);
        }
    }
}

// Reading the mappings of a whole host takes some ten milliseconds, which nothing may wait for that
// empties the ring.
class UsersWorker : public Napi::AsyncWorker {
  public:
    UsersWorker(Napi::Env env, std::vector<uint64_t> inodes)
        : Napi::AsyncWorker(env, "sightline-users"), inodes_(std::move(inodes)),
          promise_(Napi::Promise::Deferred::New(env)) {
    }
    Napi::Promise promise() const {
        return promise_.Promise();
    }

  protected:
    void Execute() override {
        for (const uint64_t inode : inodes_) {
            users_[inode];
        }
        DIR *processes = opendir("/proc");
        if (processes == nullptr) {
            SetError("/proc cannot be listed");
            return;
        }
        while (const dirent *entry = readdir(processes)) {
            const int pid = isdigit(entry->d_name[0]) ? atoi(entry->d_name) : 0;
            if (pid > 0) {
                add_users_in(pid, &users_);
            }
        }
        closedir(processes);
    }
    void OnOK() override {
        Napi::Env env = Env();
        Napi::Array result = Napi::Array::New(env, inodes_.size());
        for (uint32_t i = 0; i < inodes_.size(); i++) {
            const std::vector<int> &pids = users_[inodes_[i]];
            Napi::Array list = Napi::Array::New(env, pids.size());
            for (uint32_t j = 0; j < pids.size(); j++) {
                list.Set(j, Napi::Number::New(env, pids[j]));
            }
            result.Set(i, list);
        }
        promise_.Resolve(result);
    }
    void OnError(const Napi::Error &error) override {
        promise_.Reject(error.Value());
    }

  private:
    std::vector<uint64_t> inodes_;
    Users users_;
    Napi::Promise::Deferred promise_;
};

} // namespace

Napi::Value find_users_js(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() < 1 || !info[0].IsArray()) {
        throw_argument(env, "findUsers takes an array of inode numbers");
        return env.Undefined();
    }
    const auto list = info[0].As<Napi::Array>();
    std::vector<uint64_t> inodes;
    for (uint32_t i = 0; i < list.Length(); i++) {
        const Napi::Value inode = list.Get(i);
        bool is_lossless = false;
        if (!inode.IsBigInt()) {
            throw_argument(env, "findUsers takes inode numbers as BigInts");
            return env.Undefined();
        }
        inodes.push_back(inode.As<Napi::BigInt>().Uint64Value(&is_lossless));
    }
    auto *worker = new UsersWorker(env, std::move(inodes));
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
}

} // namespace sightline
