// Which kernel programs belong to a function of a TLS stack that is probed.
#pragma once

#include <string>

namespace sightline {

// Where the second program of a function runs.
enum class ExitAt {
    kNever,
    // Wherever the function returns to: the kernel puts its own return address on the stack.
    kReturn,
};

struct FunctionProbe {
    const char *stack;
    const char *function;
    // Runs at the place given.
    const char *enter;
    ExitAt exit_at;
    // Null where nothing is to be learnt at the return.
    const char *exit;
};

// Null when there is no such function, or stack.
const FunctionProbe *find_function_probe(const std::string &stack, const std::string &function);

// Comma-separated, for messages.
std::string known_stacks();
// Of one stack; empty when it is not known.
std::string known_functions(const std::string &stack);

} // namespace sightline
