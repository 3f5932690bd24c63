// What each file of the binding puts into the addon's exports.
#pragma once

#include <napi.h>

namespace sightline {

// abi(): constants, sizes and field offsets of bpf/abi/events.h.
Napi::Value abi(const Napi::CallbackInfo &info);
// locateSymbols(path, names).
Napi::Value locate_symbols_js(const Napi::CallbackInfo &info);
// identify(path), locate(path, options), locateSync(path, options).
Napi::Value identify_js(const Napi::CallbackInfo &info);
Napi::Value locate_js(const Napi::CallbackInfo &info);
Napi::Value locate_sync_js(const Napi::CallbackInfo &info);
// findUsers(inodes).
Napi::Value find_users_js(const Napi::CallbackInfo &info);
// open(options).
Napi::Value open_capture(const Napi::CallbackInfo &info);
// probedFunctions().
Napi::Value probed_functions_js(const Napi::CallbackInfo &info);
// The class of what open() returns.
Napi::Function define_capture(Napi::Env env);

// State of one JavaScript environment (main thread or worker).
struct AddonData {
    Napi::FunctionReference capture_class;
};

} // namespace sightline
