#include "symbol-locator.h"

#include "../elf-symbols.h"
#include "entry-places.h"
#include "jump-stubs.h"
#include "openssl-internal.h"
#include "place-cookie.h"

#include <algorithm>
#include <map>
#include <set>

namespace sightline {
namespace {

using Symbols = std::map<std::string, FunctionSymbol>;

constexpr RegisterMask kOneArgument = register_bit(kRdi);
constexpr RegisterMask kTwoArguments = kOneArgument | register_bit(kRsi);
constexpr RegisterMask kThreeArguments = kTwoArguments | register_bit(kRdx);
constexpr RegisterMask kFourArguments = kThreeArguments | register_bit(kRcx);
constexpr RegisterMask kFiveArguments = kFourArguments | register_bit(kR8);

struct KnownFunction {
    const char *name;
    ProbeNeeds needs;
    // Of a group of functions of which all must be there; 0 for those that need not.
    unsigned group;
};

struct KnownStack {
    const char *name;
    // One whole group is enough.
    std::vector<KnownFunction> functions;
};

const std::vector<KnownStack> &known_stacks() {
    static const std::vector<KnownStack> stacks = {
        // https://docs.openssl.org/3.0/man3/SSL_read/
        {"openssl",
         {
             {"SSL_read", {kThreeArguments, true}, 1},
             {"SSL_write", {kThreeArguments, true}, 1},
             {"SSL_read_ex", {kFourArguments, true}, 0},
             {"SSL_write_ex", {kFourArguments, true}, 0},
             {"SSL_write_ex2", {kFiveArguments, true}, 0},
             {"SSL_read_early_data", {kFourArguments, true}, 0},
             {"SSL_write_early_data", {kFourArguments, true}, 0},
             {"SSL_sendfile", {kFiveArguments, true}, 0},
             {"SSL_do_handshake", {kOneArgument, true}, 0},
             {"SSL_connect", {kOneArgument, true}, 0},
             {"SSL_accept", {kOneArgument, true}, 0},
             {"ossl_statem_connect", {kOneArgument, true}, 0},
             {"ossl_statem_accept", {kOneArgument, true}, 0},
             {"SSL_get_verify_result", {kOneArgument, true}, 0},
             {"SSL_ctrl", {kFourArguments, false}, 0},
             // Where OpenSSL is two libraries, the other one says why something failed.
             {"ERR_vset_error", {kFourArguments, false}, 2},
             {"ERR_put_error", {kFiveArguments, false}, 3},
             {"SSL_free", {kOneArgument, false}, 0},
             {"SSL_clear", {kOneArgument, false}, 0},
         }},
        // https://www.gnutls.org/manual/gnutls.html#Data-transfer-and-termination
        {"gnutls",
         {
             {"gnutls_record_recv", {kThreeArguments, true}, 1},
             {"gnutls_record_send", {kThreeArguments, true}, 1},
             {"gnutls_record_recv_seq", {kFourArguments, true}, 0},
             {"gnutls_record_recv_packet", {kTwoArguments, true}, 0},
             {"gnutls_record_recv_early_data", {kThreeArguments, true}, 0},
             {"gnutls_record_send2", {kFiveArguments, true}, 0},
             {"gnutls_record_send_range", {kFourArguments, true}, 0},
             {"gnutls_record_send_early_data", {kThreeArguments, true}, 0},
             {"gnutls_record_send_file", {kOneArgument, true}, 0},
             {"gnutls_record_uncork", {kTwoArguments, true}, 0},
             {"gnutls_handshake", {kOneArgument, true}, 0},
             {"gnutls_certificate_verify_peers2", {kTwoArguments, true}, 0},
             {"gnutls_certificate_verify_peers3", {kThreeArguments, true}, 0},
             {"gnutls_server_name_set", {kFourArguments, false}, 0},
             {"gnutls_deinit", {kOneArgument, false}, 0},
         }},
        // https://firefox-source-docs.mozilla.org/nspr/reference/i_o_functions.html
        // Two libraries: NSPR reads and writes, NSS says which descriptors are TLS.
        {"nss",
         {
             {"PR_Read", {kThreeArguments, true}, 1},
             {"PR_Write", {kThreeArguments, true}, 1},
             {"PR_Recv", {kThreeArguments, true}, 1},
             {"PR_Send", {kThreeArguments, true}, 1},
             {"PR_Close", {kOneArgument, false}, 1},
             {"PR_Writev", {kThreeArguments, true}, 0},
             {"PR_SetError", {kTwoArguments, false}, 0},
             {"SSL_ImportFD", {kTwoArguments, true}, 2},
             {"SSL_ForceHandshake", {kOneArgument, true}, 0},
             {"SSL_SetURL", {kTwoArguments, false}, 0},
         }},
    };
    return stacks;
}

std::vector<std::string> all_names() {
    std::vector<std::string> names;
    for (const KnownStack &stack : known_stacks()) {
        for (const KnownFunction &function : stack.functions) {
            names.push_back(function.name);
        }
    }
    for (const char *name : kOpensslInternalNames) {
        names.push_back(name);
    }
    return names;
}

bool has_whole_group(const KnownStack &stack, const Symbols &symbols) {
    std::map<unsigned, bool> is_whole;
    for (const KnownFunction &function : stack.functions) {
        if (function.group != 0) {
            is_whole.try_emplace(function.group, true).first->second &=
                symbols.contains(function.name);
        }
    }
    return std::any_of(is_whole.begin(), is_whole.end(),
                       [](const auto &entry) { return entry.second; });
}

// Those that begin with what would be single-stepped, and jump on to what they are made of.
void place_receiving(const ElfFile &file, const Symbols &symbols, LocatedStack *stack) {
    for (LocatedFunction &function : stack->functions) {
        const auto symbol = symbols.find(function.name);
        const bool is_receiving =
            function.name == "gnutls_record_recv" || function.name == "gnutls_record_recv_seq";
        if (!is_receiving || function.placement.is_emulated || symbol == symbols.end()) {
            continue;
        }
        const uint64_t start = symbol->second.address;
        const uint64_t bytes = std::min<uint64_t>(symbol->second.bytes, UINT64_MAX - start);
        const auto places =
            find_entry_places(decode_function(file, {start, start + bytes}), {kRdi, kRsi, kRdx});
        for (const EntryPlace &place : places.found) {
            const auto known = known_place(file, place);
            if (!known) {
                function.entries.clear();
                break;
            }
            function.entries.push_back(*known);
        }
        for (const uint64_t address : places.returns) {
            if (!function.entries.empty()) {
                function.returns.push_back(file.offset_of(address).value_or(0));
            }
        }
    }
}

struct Wrapper {
    const char *outer;
    const char *inner;
};

// Two probes for one call are one too many: the outer function does nothing but jump to the inner
// one, with its first three arguments as they were.
void leave_out_wrapper(const ElfFile &file, const Symbols &symbols, const Wrapper &wrapper,
                       LocatedStack *stack) {
    const auto outer = symbols.find(wrapper.outer);
    const auto inner = symbols.find(wrapper.inner);
    const auto probed =
        std::find_if(stack->functions.begin(), stack->functions.end(),
                     [&](const LocatedFunction &one) { return one.name == wrapper.inner; });
    if (outer == symbols.end() || inner == symbols.end() || probed == stack->functions.end()) {
        return;
    }
    const uint64_t start = outer->second.address;
    const uint64_t bytes = std::min<uint64_t>(outer->second.bytes, UINT64_MAX - start);
    for (const Instruction &one : decode_function(file, {start, start + bytes})) {
        const bool is_untouched = (one.writes & (kThreeArguments | register_bit(kRsp))) == 0;
        if (one.flow == Flow::next && is_untouched) {
            continue;
        }
        const bool is_reached = one.flow == Flow::jump && one.target &&
                                (*one.target == inner->second.address ||
                                 symbol_of_stub(file, *one.target) == wrapper.inner);
        if (!is_reached) {
            return;
        }
        probed->covers = {wrapper.outer, wrapper.inner};
        std::erase_if(stack->functions, [&](const LocatedFunction &function) {
            return function.name == wrapper.outer;
        });
        return;
    }
}

// Libraries of other kinds may have a function of one of these names by chance, or may call one of
// their own like it; a part of a group is worth a word.
void explain(const KnownStack &stack, const Symbols &symbols, Locations *locations) {
    std::set<unsigned> begun;
    for (const KnownFunction &function : stack.functions) {
        if (symbols.contains(function.name)) {
            begun.insert(function.group);
        }
    }
    std::string present;
    std::string missing;
    for (const KnownFunction &function : stack.functions) {
        if (function.group == 0 || !begun.contains(function.group)) {
            continue;
        }
        std::string &list = symbols.contains(function.name) ? present : missing;
        list += (list.empty() ? "" : ", ") + std::string(function.name);
    }
    if (!present.empty()) {
        locations->refused.push_back({stack.name, "it defines " + present + " but not " + missing});
    }
}

} // namespace

Outcome locate_by_symbols(const ElfFile &file, Locations *locations) {
    Symbols symbols;
    const Outcome failure = find_function_symbols(file, all_names(), &symbols);
    if (failure) {
        return failure;
    }
    for (const KnownStack &known : known_stacks()) {
        if (!has_whole_group(known, symbols)) {
            explain(known, symbols, locations);
            continue;
        }
        LocatedStack stack{
            .stack = known.name,
            .version = "",
            .located_by = "symbol",
            .convention = "sysv",
            .functions = {},
            .evidence = "",
        };
        for (const KnownFunction &function : known.functions) {
            const auto symbol = symbols.find(function.name);
            if (symbol != symbols.end()) {
                const uint64_t start = symbol->second.address;
                const uint64_t bytes = symbol->second.bytes;
                const uint64_t end = bytes > UINT64_MAX - start ? 0 : start + bytes;
                add_function(file, {function.name, function.name, start, end, function.needs},
                             &stack);
            }
        }
        if (stack.stack == "gnutls") {
            place_receiving(file, symbols, &stack);
            leave_out_wrapper(file, symbols, {"gnutls_record_send", "gnutls_record_send2"}, &stack);
        }
        stack.evidence = std::to_string(stack.functions.size()) + " functions by name";
        if (stack.stack == "openssl") {
            prefer_internal_functions(file, symbols, &stack);
        }
        locations->found.push_back(std::move(stack));
    }
    return std::nullopt;
}

} // namespace sightline
