#include "boringssl-locator.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

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

// <openssl/x509.h>
constexpr int64_t kNoCertificateToVerify = 122;

// Results of a verification (<openssl/x509.h>, X509_V_ERR_...) that X509_verify_cert itself finds.
constexpr int64_t kVerifyErrors[] = {
    2,  // UNABLE_TO_GET_ISSUER_CERT
    17, // OUT_OF_MEM
    18, // DEPTH_ZERO_SELF_SIGNED_CERT
    19, // SELF_SIGNED_CERT_IN_CHAIN
    20, // UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    41, // INVALID_EXTENSION
    65, // INVALID_CALL
};
constexpr size_t kVerifyErrorsMin = 3;

// Where X509_verify_cert stores its result in X509_STORE_CTX: the one distance at which several of
// its results are stored and no other has as many.
std::optional<int64_t> result_distance(const std::vector<Instruction> &code) {
    std::map<int64_t, std::set<int64_t>> stored;
    for (size_t i = 0; i < code.size(); i++) {
        const auto &[to, from] = std::tie(code[i].to, code[i].from);
        if (code[i].operation != Operation::move || to.kind != Operand::Kind::memory || to.added ||
            to.is_scaled) {
            continue;
        }
        std::set<int64_t> values;
        if (from.kind == Operand::Kind::constant) {
            values.insert(from.value);
        } else if (from.kind == Operand::Kind::general_register && from.number && i > 0) {
            values = constants_before(code, i, *from.number);
        }
        for (const int64_t value : values) {
            if (std::find(std::begin(kVerifyErrors), std::end(kVerifyErrors), value) !=
                std::end(kVerifyErrors)) {
                stored[to.value].insert(value);
            }
        }
    }
    std::optional<int64_t> found;
    for (const auto &[distance, values] : stored) {
        if (values.size() >= kVerifyErrorsMin) {
            if (found) {
                return std::nullopt;
            }
            found = distance;
        }
    }
    return found;
}

// Instructions between the source file's name and the call, at most.
constexpr size_t kCallDistance = 10;

// What is called with a source file as its fourth argument at code[index]; nothing when that is not
// seen.
std::optional<uint64_t> error_call_after(const std::vector<Instruction> &code, size_t index) {
    for (size_t steps = 0; steps < kCallDistance && index < code.size(); steps++) {
        const Instruction &instruction = code[index];
        if (instruction.flow == Flow::call) {
            return instruction.target;
        }
        if (instruction.flow == Flow::jump && instruction.target) {
            // Calls with equal ends are merged.
            const auto at = std::find_if(code.begin(), code.end(), [&](const Instruction &one) {
                return one.address == *instruction.target;
            });
            index = static_cast<size_t>(at - code.begin());
            continue;
        }
        if (instruction.flow != Flow::next) {
            return std::nullopt;
        }
        index++;
    }
    return std::nullopt;
}

// Errors that all go to one function, at least, to take it for the one that notes them.
constexpr size_t kErrorCallsMin = 10;

struct ErrorFunction {
    uint64_t address;
    // The optimizer has dropped the second argument, which is unused.
    bool is_shortened;
};

// ERR_put_error: the one function that is given many errors, the source file always in the same
// register.
std::optional<ErrorFunction> error_function(const std::vector<AddressUser> &users) {
    std::map<std::pair<uint64_t, unsigned>, size_t> calls;
    for (const AddressUser &user : users) {
        for (const auto &[index, address] : user.uses) {
            const auto file = register_of_use(user.code[index], address);
            const auto target = error_call_after(user.code, index);
            if (file && target) {
                calls[{*target, *file}]++;
            }
        }
    }
    std::optional<ErrorFunction> found;
    for (const auto &[call, count] : calls) {
        const auto &[target, file] = call;
        if (count < kErrorCallsMin) {
            continue;
        }
        if (found || (file != kRcx && file != kRdx)) {
            return std::nullopt;
        }
        found = {target, file == kRdx};
    }
    return found;
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
    if (!paths_.empty()) {
        for (const uint64_t place : search.places_of(KnownText::x509_verify_file)) {
            const auto path = search.c_string_around(place);
            if (path && path->text.ends_with("/x509/x509_vfy.cc")) {
                verify_paths_.push_back(path->address);
            }
        }
    }
    addresses->insert(addresses->end(), paths_.begin(), paths_.end());
    addresses->insert(addresses->end(), verify_paths_.begin(), verify_paths_.end());
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
    const auto add = [&](const char *name, const FunctionRange &range, const ProbeNeeds &needs) {
        // Without an unwind entry the end is only a bound.
        const uint64_t function_end = range.has_unwind_entry ? range.end : 0;
        const RegisterMask live =
            live_registers(decode_function(search.file, {range.start, function_end}));
        return (live & needs.arguments) == needs.arguments && search.starts.is_start(range.start) &&
               add_function(search.file, {name, name, range.start, function_end, needs}, &stack);
    };
    if (!add("SSL_read", reads[0].user->range, three_arguments) ||
        !add("SSL_write", writes[0].user->range, three_arguments)) {
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
            add(name, fitting[0].user->range,
                {.arguments = register_bit(kRdi), .wants_return = true});
        }
    };
    add_if_sole("SSL_new", kNullContext);
    add_if_sole("SSL_do_handshake", kConnectionTypeNotSet);
    // Why a handshake fails, where that can be seen.
    const auto put_error = error_function(users);
    if (put_error) {
        const unsigned reason = put_error->is_shortened ? kRsi : kRdx;
        add(put_error->is_shortened ? "ERR_put_error.shortened" : "ERR_put_error",
            {.start = put_error->address, .end = 0, .has_unwind_entry = false},
            {.arguments = register_bit(kRdi) | register_bit(reason), .wants_return = false});
    }
    const std::vector<AddressUser> verifiers = users_of(search, verify_paths_);
    std::vector<const AddressUser *> verify;
    for (const AddressUser &user : verifiers) {
        const std::set<int64_t> reasons = reasons_of(user);
        if (reasons.contains(kNoCertificateToVerify) &&
            reasons.contains(kShouldNotHaveBeenCalled)) {
            verify.push_back(&user);
        }
    }
    const auto distance = verify.size() == 1 ? result_distance(verify[0]->code) : std::nullopt;
    if (distance) {
        const std::string name = "X509_verify_cert+" + std::to_string(*distance);
        add(name.c_str(), verify[0]->range,
            {.arguments = register_bit(kRdi), .wants_return = true});
    }
    locations->found.push_back(std::move(stack));
}

} // namespace sightline
