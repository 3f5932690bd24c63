#include "boringssl-locator.h"

#include <algorithm>
#include <set>

namespace sightline {
namespace {

const char *const kStack = "boringssl";

// Reasons of <openssl/ssl.h> and <openssl/err.h>; their numbers never change.
constexpr int64_t kShouldNotHaveBeenCalled = 66;
constexpr int64_t kBadLength = 111;
constexpr int64_t kConnectionTypeNotSet = 134;
constexpr int64_t kNullContext = 185;
constexpr int64_t kProtocolIsShutdown = 215;
constexpr int64_t kUninitialized = 226;
// Of SSL_process_quic_post_handshake and others, which read nothing.
constexpr int64_t kNoRenegotiation = 291;

// In the order of the arguments of a System V call.
constexpr unsigned kArguments[] = {kRdi, kRsi, kRdx, kRcx, kR8, kR9};

struct Candidate {
    const AddressUser *user;
    std::set<int64_t> reasons;

    bool has(std::initializer_list<int64_t> wanted) const {
        return std::all_of(wanted.begin(), wanted.end(),
                           [this](int64_t reason) { return reasons.contains(reason); });
    }
};

// ERR_put_error(library, unused, reason, file, line): the reason comes just before the file, also
// where the optimizer has dropped the unused argument.
std::set<int64_t> reasons_of(const AddressUser &user) {
    std::set<int64_t> reasons;
    for (const auto &[index, address] : user.uses) {
        const auto file_register = register_of_use(user.code[index], address);
        const auto *position =
            std::find(std::begin(kArguments), std::end(kArguments), file_register.value_or(kRsp));
        if (position == std::end(kArguments) || position == std::begin(kArguments)) {
            continue;
        }
        reasons.merge(constants_at(user.code, index, *(position - 1)));
    }
    return reasons;
}

bool is_source_file(const std::string &path) {
    return path.ends_with("/ssl/ssl_lib.cc") || path == "ssl/ssl_lib.cc";
}

std::string describe(const std::vector<Candidate> &candidates) {
    std::string text;
    for (const Candidate &candidate : candidates) {
        text += (text.empty() ? "" : ", ") + hex(candidate.user->range.start);
    }
    return text.empty() ? "none" : text;
}

template <typename Test>
std::vector<Candidate> select(const std::vector<Candidate> &from, Test test) {
    std::vector<Candidate> selected;
    std::copy_if(from.begin(), from.end(), std::back_inserter(selected), test);
    return selected;
}

bool stores_outside_stack(const std::vector<Instruction> &code) {
    const bool has_frame_pointer =
        std::any_of(code.begin(), code.end(), [](const Instruction &instruction) {
            return instruction.copy == std::pair<unsigned, unsigned>(kRbp, kRsp);
        });
    return std::any_of(code.begin(), code.end(), [=](const Instruction &instruction) {
        const auto base = instruction.stores_through;
        return base && *base != kRsp && !(has_frame_pointer && *base == kRbp);
    });
}

// SSL_read takes what SSL_peek shows out of the connection, so it writes to the object; SSL_peek
// only copies.
std::vector<Candidate> reads_among(const std::vector<Candidate> &candidates,
                                   const std::vector<Candidate> &implementations) {
    return select(candidates, [&](const Candidate &candidate) {
        const bool is_inlined = candidate.has({kUninitialized, kProtocolIsShutdown});
        const bool is_fitting =
            is_inlined ? candidate.reasons.size() == 3
                       : candidate.reasons.size() == 1 &&
                             std::any_of(implementations.begin(), implementations.end(),
                                         [&](const Candidate &implementation) {
                                             return calls(candidate.user->code,
                                                          implementation.user->range.start);
                                         });
        const std::vector<Instruction> &code = candidate.user->code;
        return is_fitting && candidate.has({kShouldNotHaveBeenCalled}) &&
               stores_outside_stack(code);
    });
}

} // namespace

const char *BoringsslLocator::stack() const {
    return kStack;
}

ScanEnd BoringsslLocator::collect(const CodeSearch &search, std::vector<uint64_t> *addresses) {
    for (const uint64_t place : search.places_of(KnownText::ssl_library_file)) {
        const auto path = search.c_string_around(place);
        if (path && is_source_file(path->text)) {
            paths_.push_back(path->address);
        }
    }
    addresses->insert(addresses->end(), paths_.begin(), paths_.end());
    return ScanEnd::complete;
}

void BoringsslLocator::settle(const CodeSearch &search, Locations *locations) {
    const auto refuse = [&](const std::string &reason) {
        locations->refused.push_back({kStack, reason});
    };
    const std::vector<AddressUser> users = users_of(search, paths_);
    std::vector<Candidate> candidates;
    size_t uses = 0;
    for (const AddressUser &user : users) {
        candidates.push_back({&user, reasons_of(user)});
        uses += user.uses.size();
    }
    const auto writes = select(candidates, [](const Candidate &candidate) {
        return candidate.has(
            {kShouldNotHaveBeenCalled, kUninitialized, kProtocolIsShutdown, kBadLength});
    });
    const auto implementations = select(candidates, [](const Candidate &candidate) {
        return candidate.has({kUninitialized, kProtocolIsShutdown}) &&
               !candidate.reasons.contains(kBadLength) &&
               !candidate.reasons.contains(kNoRenegotiation) &&
               !candidate.reasons.contains(kShouldNotHaveBeenCalled);
    });
    const auto reads = reads_among(candidates, implementations);
    const std::string seen = std::to_string(uses) + " errors in " + std::to_string(users.size()) +
                             " functions of ssl_lib.cc";
    if (writes.size() != 1 || reads.size() != 1) {
        refuse("it contains BoringSSL without symbols, and exactly one function each must look "
               "like SSL_read and SSL_write: found for SSL_read " +
               describe(reads) + ", for SSL_write " + describe(writes) +
               ", for what SSL_read calls " + describe(implementations) + "; searched " + seen);
        return;
    }
    LocatedStack stack{
        .stack = kStack,
        .version = "",
        .located_by = "error-calls",
        .convention = "sysv",
        .functions = {},
        .evidence = "the reasons of " + seen + " fit one function each",
    };
    const ProbeNeeds three_arguments{
        .arguments = register_bit(kRdi) | register_bit(kRsi) | register_bit(kRdx),
        .wants_return = true,
    };
    const auto add = [&](const char *name, const Candidate &candidate, const ProbeNeeds &needs) {
        const FunctionRange &range = candidate.user->range;
        // Without an unwind entry the end is only a bound.
        const uint64_t function_end = range.has_unwind_entry ? range.end : 0;
        const RegisterMask live =
            live_registers(decode_function(search.file, {range.start, function_end}));
        return (live & needs.arguments) == needs.arguments && search.starts.is_start(range.start) &&
               add_function(search.file, {name, name, range.start, function_end, needs}, &stack);
    };
    if (!add("SSL_read", reads[0], three_arguments) ||
        !add("SSL_write", writes[0], three_arguments)) {
        refuse("what looks like SSL_read (" + describe(reads) + ") and SSL_write (" +
               describe(writes) + ") of BoringSSL does not take three arguments");
        return;
    }
    // What begins a connection: the optimizer may have put either into its callers, and the stack
    // is observed without as well.
    const auto add_if_sole = [&](const char *name, int64_t reason) {
        const auto fitting = select(candidates, [&](const Candidate &candidate) {
            return candidate.reasons == std::set<int64_t>{reason};
        });
        if (fitting.size() == 1) {
            add(name, fitting[0], {.arguments = register_bit(kRdi), .wants_return = true});
        }
    };
    add_if_sole("SSL_new", kNullContext);
    add_if_sole("SSL_do_handshake", kConnectionTypeNotSet);
    locations->found.push_back(std::move(stack));
}

} // namespace sightline
