#include "function-probes.h"

namespace sightline {
namespace {

constexpr FunctionProbe kFunctionProbes[] = {
    {"openssl", "SSL_read", "openssl_read_enter", ExitAt::kReturn, "openssl_call_exit"},
    {"openssl", "SSL_write", "openssl_write_enter", ExitAt::kReturn, "openssl_call_exit"},
    {"openssl", "SSL_read_ex", "openssl_read_ex_enter", ExitAt::kReturn, "openssl_call_exit"},
    {"openssl", "SSL_write_ex", "openssl_write_ex_enter", ExitAt::kReturn, "openssl_call_exit"},
    {"openssl", "SSL_write_ex2", "openssl_write_ex2_enter", ExitAt::kReturn, "openssl_call_exit"},
    // What OpenSSL's functions, and its BIO, are made of: their first instruction is cheaper to
    // probe.
    {"openssl", "ssl_read_internal", "openssl_read_ex_enter", ExitAt::kReturn, "openssl_call_exit"},
    {"openssl", "ssl_write_internal", "openssl_write_ex_enter", ExitAt::kReturn,
     "openssl_call_exit"},
    // The same with flags before the count, since OpenSSL 3.3.
    {"openssl", "ssl_write_internal_flags", "openssl_write_ex2_enter", ExitAt::kReturn,
     "openssl_call_exit"},
    {"openssl", "SSL_free", "openssl_free_enter", ExitAt::kNever, nullptr},
};

} // namespace

const FunctionProbe *find_function_probe(const std::string &stack, const std::string &function) {
    for (const FunctionProbe &probe : kFunctionProbes) {
        if (stack == probe.stack && function == probe.function) {
            return &probe;
        }
    }
    return nullptr;
}

std::string known_stacks() {
    std::string names;
    std::string last;
    for (const FunctionProbe &probe : kFunctionProbes) {
        if (last != probe.stack) {
            last = probe.stack;
            names += (names.empty() ? "" : ", ") + last;
        }
    }
    return names;
}

std::string known_functions(const std::string &stack) {
    std::string names;
    for (const FunctionProbe &probe : kFunctionProbes) {
        if (stack == probe.stack) {
            names += (names.empty() ? "" : ", ") + std::string(probe.function);
        }
    }
    return names;
}

} // namespace sightline
