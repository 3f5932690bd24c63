// Which kernel programs belong to a function of a TLS stack that is probed.
#pragma once

#include <string>
#include <vector>

namespace sightline {

// Where the second program of a function runs.
enum class ExitAt {
    kNever,
    // Wherever the function returns to: the kernel puts its own return address on the stack.
    kReturn,
    // At the function's return instructions, which must be named.
    kInstructions,
};

struct FunctionProbe {
    const char *stack;
    // How arguments are passed; empty where there is one way.
    const char *convention;
    const char *function;
    // Runs at the place given. Null where nothing is to be learnt before the return.
    const char *enter;
    ExitAt exit_at;
    // Null where nothing is to be learnt at the return.
    const char *exit;
    // Runs where the result is known before a return instruction, and is told where it is; needs
    // LinkMethod::kMulti. Null where there is none.
    const char *result = nullptr;
    // Runs where the function goes on with its arguments, and is told where they are; and the one
    // for the return instructions that belong to that. The same.
    const char *enter_at = nullptr;
    const char *exit_instruction = nullptr;
};

// Null when there is no such function, stack or convention. A name may end in "#" and a number,
// where a file has several functions of one kind.
const FunctionProbe *find_function_probe(const std::string &stack, const std::string &convention,
                                         const std::string &function);

std::vector<std::string> probed_stacks();
// Of one stack, each once; empty when it is not known.
std::vector<std::string> probed_functions(const std::string &stack);
// It is told where it runs, which not every kernel can do.
bool needs_cookies(const std::string &program);
bool is_program_of(const std::string &stack, const std::string &program);

// Of the stacks whose probes may be taken away for a time: the function hands over what came from a
// peer, so that without it what is asked of the peer is still seen.
bool is_reader(const FunctionProbe &probe);

// For messages.
std::string comma_separated(const std::vector<std::string> &names);

} // namespace sightline
