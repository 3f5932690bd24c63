#include "function-probes.h"

#include <algorithm>

namespace sightline {
namespace {

constexpr FunctionProbe kFunctionProbes[] = {
    {"openssl", "", "SSL_read", "openssl_read_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_write", "openssl_write_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_read_ex", "openssl_read_ex_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_write_ex", "openssl_write_ex_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_write_ex2", "openssl_write_ex2_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_read_early_data", "openssl_read_ex_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_write_early_data", "openssl_write_ex_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "SSL_sendfile", "openssl_sendfile_enter", ExitAt::kReturn, "call_exit"},
    // What OpenSSL's functions, and its BIO, are made of: their first instruction is cheaper to
    // probe.
    {"openssl", "", "ssl_read_internal", "openssl_read_ex_enter", ExitAt::kReturn, "call_exit"},
    {"openssl", "", "ssl_write_internal", "openssl_write_ex_enter", ExitAt::kReturn, "call_exit"},
    // The same with flags before the count, since OpenSSL 3.3.
    {"openssl", "", "ssl_write_internal_flags", "openssl_write_ex2_enter", ExitAt::kReturn,
     "call_exit"},
    {"openssl", "", "SSL_new", nullptr, ExitAt::kReturn, "openssl_new_exit"},
    {"openssl", "", "SSL_free", "openssl_free_enter", ExitAt::kNever, nullptr},
    {"openssl", "", "SSL_clear", "openssl_clear_enter", ExitAt::kNever, nullptr},
    {"openssl", "", "SSL_do_handshake", "openssl_handshake_enter", ExitAt::kReturn,
     "openssl_handshake_exit"},
    {"openssl", "", "SSL_connect", "openssl_connect_enter", ExitAt::kReturn,
     "openssl_handshake_exit"},
    {"openssl", "", "SSL_accept", "openssl_accept_enter", ExitAt::kReturn,
     "openssl_handshake_exit"},
    {"openssl", "", "ossl_statem_connect", "openssl_connect_enter", ExitAt::kReturn,
     "openssl_handshake_exit"},
    {"openssl", "", "ossl_statem_accept", "openssl_accept_enter", ExitAt::kReturn,
     "openssl_handshake_exit"},
    {"openssl", "", "SSL_get_verify_result", "openssl_verify_enter", ExitAt::kReturn,
     "openssl_verify_exit"},
    {"openssl", "", "SSL_ctrl", "openssl_ctrl_enter", ExitAt::kNever, nullptr},
    // In a library of their own, where OpenSSL is two.
    {"openssl", "", "ERR_vset_error", "openssl_error_enter", ExitAt::kNever, nullptr},
    {"openssl", "", "ERR_put_error", "openssl_put_error_enter", ExitAt::kNever, nullptr},
    {"boringssl", "", "SSL_read", "boringssl_read_enter", ExitAt::kReturn, "call_exit"},
    {"boringssl", "", "SSL_write", "boringssl_write_enter", ExitAt::kReturn, "call_exit"},
    {"boringssl", "", "SSL_new", nullptr, ExitAt::kReturn, "boringssl_new_exit"},
    {"boringssl", "", "SSL_do_handshake", "boringssl_handshake_enter", ExitAt::kReturn,
     "boringssl_handshake_exit"},
    {"boringssl", "", "ERR_put_error", "boringssl_error_enter", ExitAt::kNever, nullptr},
    {"boringssl", "", "ERR_put_error.shortened", "boringssl_short_error_enter", ExitAt::kNever,
     nullptr},
    {"boringssl", "", "X509_verify_cert+68", "boringssl_verify_68_enter", ExitAt::kReturn,
     "boringssl_verify_exit"},
    {"boringssl", "", "X509_verify_cert+76", "boringssl_verify_76_enter", ExitAt::kReturn,
     "boringssl_verify_exit"},
    {"boringssl", "", "SSL_free", "boringssl_free_enter", ExitAt::kNever, nullptr},
    {"gnutls", "", "gnutls_record_recv", "gnutls_recv_enter", ExitAt::kReturn, "call_exit", nullptr,
     "gnutls_recv_at", "call_return"},
    {"gnutls", "", "gnutls_record_recv_seq", "gnutls_recv_enter", ExitAt::kReturn, "call_exit",
     nullptr, "gnutls_recv_at", "call_return"},
    {"gnutls", "", "gnutls_record_send", "gnutls_send_enter", ExitAt::kReturn, "call_exit"},
    {"gnutls", "", "gnutls_record_send2", "gnutls_send_enter", ExitAt::kReturn, "call_exit"},
    {"gnutls", "", "gnutls_record_send_range", "gnutls_send_enter", ExitAt::kReturn, "call_exit"},
    {"gnutls", "", "gnutls_record_recv_packet", "gnutls_packet_enter", ExitAt::kReturn,
     "call_exit"},
    {"gnutls", "", "gnutls_record_recv_early_data", "gnutls_recv_enter", ExitAt::kReturn,
     "call_exit"},
    {"gnutls", "", "gnutls_record_send_file", "gnutls_sendfile_enter", ExitAt::kReturn,
     "call_exit"},
    {"gnutls", "", "gnutls_record_uncork", "gnutls_uncork_enter", ExitAt::kReturn,
     "gnutls_uncork_exit"},
    {"gnutls", "", "gnutls_deinit", "gnutls_deinit_enter", ExitAt::kNever, nullptr},
    {"gnutls", "", "gnutls_handshake", "gnutls_handshake_enter", ExitAt::kReturn,
     "gnutls_handshake_exit"},
    {"gnutls", "", "gnutls_certificate_verify_peers2", "gnutls_verify2_enter", ExitAt::kReturn,
     "gnutls_verify_exit"},
    {"gnutls", "", "gnutls_certificate_verify_peers3", "gnutls_verify3_enter", ExitAt::kReturn,
     "gnutls_verify_exit"},
    {"gnutls", "", "gnutls_server_name_set", "gnutls_server_name_enter", ExitAt::kNever, nullptr},
    {"nss", "", "SSL_ForceHandshake", "nss_handshake_enter", ExitAt::kReturn, "nss_handshake_exit"},
    {"nss", "", "PR_SetError", "nss_error_enter", ExitAt::kNever, nullptr},
    {"nss", "", "SSL_SetURL", "nss_server_name_enter", ExitAt::kNever, nullptr},
    {"nss", "", "PR_Read", "nss_read_enter", ExitAt::kReturn, "nss_call_exit"},
    {"nss", "", "PR_Recv", "nss_recv_enter", ExitAt::kReturn, "nss_call_exit"},
    {"nss", "", "PR_Write", "nss_write_enter", ExitAt::kReturn, "nss_call_exit"},
    {"nss", "", "PR_Send", "nss_write_enter", ExitAt::kReturn, "nss_call_exit"},
    {"nss", "", "PR_Writev", "nss_write_enter", ExitAt::kReturn, "nss_writev_exit"},
    {"nss", "", "SSL_ImportFD", nullptr, ExitAt::kReturn, "nss_import_exit"},
    {"nss", "", "PR_Close", "nss_close_enter", ExitAt::kNever, nullptr},
    {"go", "go-register", "crypto/tls.(*Conn).Read", "go_read_enter", ExitAt::kInstructions,
     "go_return", "go_result"},
    {"go", "go-register", "crypto/tls.(*Conn).Write", "go_write_enter", ExitAt::kInstructions,
     "go_return", "go_result"},
    {"go", "go-register", "crypto/tls.(*Conn).Close", "go_close_enter", ExitAt::kNever, nullptr},
    {"go", "go-register", "crypto/tls.(*Conn).clientHandshake", "go_client_handshake_enter",
     ExitAt::kInstructions, "go_handshake_return"},
    {"go", "go-register", "crypto/tls.(*Conn).serverHandshake", "go_server_handshake_enter",
     ExitAt::kInstructions, "go_handshake_return"},
    {"go", "go-register", "crypto/tls.(*Conn).sendAlert", "go_alert_enter", ExitAt::kNever,
     nullptr},
    {"go", "go-stack", "crypto/tls.(*Conn).Read", "go_stack_read_enter", ExitAt::kInstructions,
     "go_stack_return"},
    {"go", "go-stack", "crypto/tls.(*Conn).Write", "go_stack_write_enter", ExitAt::kInstructions,
     "go_stack_return"},
    {"go", "go-stack", "crypto/tls.(*Conn).Close", "go_stack_close_enter", ExitAt::kNever, nullptr},
    {"go", "go-stack", "crypto/tls.(*Conn).clientHandshake", "go_stack_client_handshake_enter",
     ExitAt::kInstructions, "go_stack_handshake_return"},
    {"go", "go-stack", "crypto/tls.(*Conn).serverHandshake", "go_stack_server_handshake_enter",
     ExitAt::kInstructions, "go_stack_handshake_return"},
    {"go", "go-stack", "crypto/tls.(*Conn).sendAlert", "go_stack_alert_enter", ExitAt::kNever,
     nullptr},
    {"go", "go-stack", "crypto/tls.hostnameInSNI", "go_stack_server_name_enter", ExitAt::kNever,
     nullptr},
    {"go", "go-register", "crypto/tls.hostnameInSNI", "go_server_name_enter", ExitAt::kNever,
     nullptr},
    {"rustls", "", "CommonState::send_appdata_encrypt", "rustls_send_enter", ExitAt::kNever,
     nullptr},
    {"rustls", "", "RecordLayer::encrypt_outgoing", "rustls_send_enter", ExitAt::kNever, nullptr},
    {"rustls", "", "MessageEncrypter::encrypt", "rustls_encrypt_enter", ExitAt::kNever, nullptr},
    {"rustls", "", "MessageDecrypter::decrypt", "rustls_decrypt_enter", ExitAt::kReturn,
     "rustls_decrypt_exit"},
};

void add_once(const char *name, std::vector<std::string> *names) {
    if (std::find(names->begin(), names->end(), name) == names->end()) {
        names->push_back(name);
    }
}

// Entries of functions that hand over what came from a peer.
constexpr const char *kReaders[] = {"openssl_read_enter", "openssl_read_ex_enter",
                                    "boringssl_read_enter", "go_read_enter", "go_stack_read_enter"};

bool is_named(const char *name, const std::string &wanted) {
    return name != nullptr && wanted == name;
}

} // namespace

const FunctionProbe *find_function_probe(const std::string &stack, const std::string &convention,
                                         const std::string &function) {
    const std::string name = function.substr(0, function.rfind('#'));
    for (const FunctionProbe &probe : kFunctionProbes) {
        const bool fits = *probe.convention == '\0' || convention == probe.convention;
        if (stack == probe.stack && fits && name == probe.function) {
            return &probe;
        }
    }
    return nullptr;
}

std::vector<std::string> probed_stacks() {
    std::vector<std::string> names;
    for (const FunctionProbe &probe : kFunctionProbes) {
        add_once(probe.stack, &names);
    }
    return names;
}

std::vector<std::string> probed_functions(const std::string &stack) {
    std::vector<std::string> names;
    for (const FunctionProbe &probe : kFunctionProbes) {
        if (stack == probe.stack) {
            add_once(probe.function, &names);
        }
    }
    return names;
}

bool needs_cookies(const std::string &program) {
    return std::any_of(
        std::begin(kFunctionProbes), std::end(kFunctionProbes), [&](const FunctionProbe &probe) {
            return is_named(probe.result, program) || is_named(probe.enter_at, program);
        });
}

bool is_program_of(const std::string &stack, const std::string &program) {
    return std::any_of(
        std::begin(kFunctionProbes), std::end(kFunctionProbes), [&](const FunctionProbe &probe) {
            return stack == probe.stack &&
                   (is_named(probe.enter, program) || is_named(probe.exit, program) ||
                    is_named(probe.result, program) || is_named(probe.enter_at, program) ||
                    is_named(probe.exit_instruction, program));
        });
}

bool is_reader(const FunctionProbe &probe) {
    return std::any_of(std::begin(kReaders), std::end(kReaders),
                       [&](const char *reader) { return is_named(probe.enter, reader); });
}

std::string comma_separated(const std::vector<std::string> &names) {
    std::string text;
    for (const std::string &name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

} // namespace sightline
