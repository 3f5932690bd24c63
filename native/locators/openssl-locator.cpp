#include "openssl-locator.h"

#include "openssl-internal.h"

#include <algorithm>

namespace sightline {
namespace {

const char *const kStack = "openssl";

// SSL_F_SSL_READ_INTERNAL and SSL_F_SSL_WRITE_INTERNAL of OpenSSL 1.1.1.
constexpr int64_t kReadInternalNumber = 523;
constexpr int64_t kWriteInternalNumber = 524;
// SSL_F_SSL_NEW.
constexpr int64_t kNewNumber = 186;
constexpr size_t kMaxVersionBytes = 64;
constexpr unsigned kArguments[] = {kRdi, kRsi, kRdx, kRcx, kR8, kR9};

std::string describe(const std::vector<AddressUser> &users) {
    std::string text;
    for (const AddressUser &user : users) {
        text += (text.empty() ? "" : ", ") + hex(user.range.start);
    }
    return text.empty() ? "none" : text;
}

// Compilers move a function's rare part behind others, with an unwind entry of its own: the
// function proper is the one that goes there and that is not gone to from there.
void leave_out_moved_parts(std::vector<AddressUser> *users) {
    std::vector<AddressUser> whole;
    for (const AddressUser &user : *users) {
        const bool is_part =
            std::any_of(users->begin(), users->end(), [&](const AddressUser &other) {
                return &other != &user &&
                       std::any_of(other.code.begin(), other.code.end(),
                                   [&](const Instruction &instruction) {
                                       return instruction.target &&
                                              instruction.flow != Flow::call &&
                                              *instruction.target >= user.range.start &&
                                              *instruction.target < user.range.end;
                                   }) &&
                       !std::any_of(user.code.begin(), user.code.end(),
                                    [&](const Instruction &instruction) {
                                        return instruction.target == other.range.start;
                                    });
            });
        if (!is_part) {
            whole.push_back(user);
        }
    }
    *users = std::move(whole);
}

bool names_function(const AddressUser &user, int64_t number) {
    return std::any_of(user.uses.begin(), user.uses.end(), [&](const auto &use) {
        // ERR_put_error(library, function, reason, file, line)
        const auto file_register = register_of_use(user.code[use.first], use.second);
        const auto *position =
            std::find(std::begin(kArguments), std::end(kArguments), file_register.value_or(kRsp));
        if (position == std::end(kArguments) || position - std::begin(kArguments) < 2) {
            return false;
        }
        return constants_at(user.code, use.first, *(position - 2)).contains(number);
    });
}

std::vector<AddressUser> users_with_number(const std::vector<AddressUser> &users, int64_t number) {
    std::vector<AddressUser> selected;
    std::copy_if(users.begin(), users.end(), std::back_inserter(selected),
                 [=](const AddressUser &user) { return names_function(user, number); });
    return selected;
}

std::vector<uint64_t> exact_strings(const CodeSearch &search, KnownText text) {
    std::vector<uint64_t> addresses;
    for (const uint64_t place : search.places_of(text)) {
        const auto found = search.c_string_around(place);
        if (found && found->address == place &&
            found->text == known_texts()[static_cast<size_t>(text)]) {
            addresses.push_back(place);
        }
    }
    return addresses;
}

std::string version_of(const CodeSearch &search) {
    for (const uint64_t place : search.places_of(KnownText::openssl_version)) {
        const auto found = search.c_string_around(place);
        if (found && found->address == place && found->text.size() < kMaxVersionBytes &&
            (found->text.starts_with("OpenSSL 4.") || found->text.starts_with("OpenSSL 3.") ||
             found->text.starts_with("OpenSSL 1.1.1"))) {
            return found->text;
        }
    }
    return "";
}

struct Parts {
    std::vector<AddressUser> reads;
    std::vector<AddressUser> writes;
    // Creation of an object; without it an object that is used again cannot be told from before.
    std::vector<AddressUser> news;
    const char *located_by;
    std::string evidence;
};

void settle_parts(const CodeSearch &search, Parts parts, Locations *locations) {
    const auto refuse = [&](const std::string &reason) {
        locations->refused.push_back({kStack, reason});
    };
    leave_out_moved_parts(&parts.reads);
    leave_out_moved_parts(&parts.writes);
    leave_out_moved_parts(&parts.news);
    if (parts.reads.size() != 1 || parts.writes.size() != 1) {
        refuse("it contains OpenSSL without symbols, and exactly one function each must be "
               "ssl_read_internal and ssl_write_internal: found for the first " +
               describe(parts.reads) + ", for the second " + describe(parts.writes));
        return;
    }
    LocatedStack stack{
        .stack = kStack,
        .version = version_of(search),
        .located_by = parts.located_by,
        .convention = "sysv",
        .functions = {},
        .evidence = parts.evidence,
    };
    for (const bool is_write : {false, true}) {
        const AddressUser &user = is_write ? parts.writes[0] : parts.reads[0];
        const FunctionRange &range = user.range;
        const uint64_t end = range.has_unwind_entry ? range.end : 0;
        const auto signature =
            internal_signature(decode_function(search.file, {range.start, end}), is_write);
        const char *name = kOpensslInternalNames[is_write ? 1 : 0];
        if (!signature || !search.starts.is_start(range.start) ||
            !add_function(search.file,
                          {internal_name(*signature), *signature, range.start, end,
                           internal_needs(*signature)},
                          &stack)) {
            refuse("what uses the name " + std::string(name) + " of OpenSSL, at " +
                   hex(range.start) + ", does not take the arguments of that function");
            return;
        }
        stack.functions.back().covers = is_write
                                            ? std::vector<std::string>{"SSL_write", "SSL_write_ex"}
                                            : std::vector<std::string>{"SSL_read", "SSL_read_ex"};
        if (*signature == "SSL_write_ex2") {
            stack.functions.back().covers.push_back("SSL_write_ex2");
        }
    }
    if (parts.news.size() == 1) {
        const FunctionRange &range = parts.news[0].range;
        const FunctionBody body{range.start, range.has_unwind_entry ? range.end : 0};
        const ProbeNeeds needs{.arguments = register_bit(kRdi), .wants_return = true};
        const RegisterMask live = live_registers(decode_function(search.file, body));
        if ((live & needs.arguments) != 0 && search.starts.is_start(range.start)) {
            add_function(search.file, {"SSL_new", "SSL_new", body.start, body.end, needs}, &stack);
        }
    }
    locations->found.push_back(std::move(stack));
}

} // namespace

const char *OpensslLocator::stack() const {
    return kStack;
}

ScanEnd OpensslLocator::collect(const CodeSearch &search, std::vector<uint64_t> *addresses) {
    for (const uint64_t place : search.places_of(KnownText::ssl_library_file)) {
        const auto path = search.c_string_around(place);
        if (path && path->text.ends_with("ssl/ssl_lib.c")) {
            files_.push_back(path->address);
        }
    }
    if (files_.empty()) {
        return ScanEnd::complete;
    }
    read_names_ = exact_strings(search, KnownText::read_internal);
    write_names_ = exact_strings(search, KnownText::write_internal);
    new_names_ = exact_strings(search, KnownText::openssl_new);
    for (const auto *found : {&files_, &read_names_, &write_names_, &new_names_}) {
        addresses->insert(addresses->end(), found->begin(), found->end());
    }
    return ScanEnd::complete;
}

void OpensslLocator::settle(const CodeSearch &search, Locations *locations) {
    std::vector<uint64_t> addresses;
    for (const auto *found : {&files_, &read_names_, &write_names_, &new_names_}) {
        addresses.insert(addresses.end(), found->begin(), found->end());
    }
    const std::vector<AddressUser> users = users_of(search, addresses);
    const auto using_any = [&](const std::vector<uint64_t> &wanted) {
        std::vector<AddressUser> selected;
        for (const AddressUser &user : users) {
            if (std::any_of(user.uses.begin(), user.uses.end(), [&](const auto &use) {
                    return std::find(wanted.begin(), wanted.end(), use.second) != wanted.end();
                })) {
                selected.push_back(user);
            }
        }
        return selected;
    };
    Parts parts{using_any(read_names_), using_any(write_names_), using_any(new_names_),
                "function-names", "one function each names itself so in its errors"};
    if (parts.reads.empty() && parts.writes.empty()) {
        const auto in_file = using_any(files_);
        parts = {users_with_number(in_file, kReadInternalNumber),
                 users_with_number(in_file, kWriteInternalNumber),
                 users_with_number(in_file, kNewNumber), "function-numbers",
                 "one function each has its number of OpenSSL 1.1.1 in its errors"};
    }
    settle_parts(search, std::move(parts), locations);
}

} // namespace sightline
