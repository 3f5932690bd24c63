// The addon's entry: one set of exports and of state for every JavaScript environment that loads
// it.
#include "exports.h"

namespace sightline {
namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
    auto *data = new AddonData();
    data->capture_class = Napi::Persistent(define_capture(env));
    env.SetInstanceData<AddonData>(data);
    exports.Set("open", Napi::Function::New(env, open_capture, "open"));
    exports.Set("locateSymbols", Napi::Function::New(env, locate_symbols_js, "locateSymbols"));
    exports.Set("identify", Napi::Function::New(env, identify_js, "identify"));
    exports.Set("locate", Napi::Function::New(env, locate_js, "locate"));
    exports.Set("locateSync", Napi::Function::New(env, locate_sync_js, "locateSync"));
    exports.Set("findUsers", Napi::Function::New(env, find_users_js, "findUsers"));
    exports.Set("probedFunctions",
                Napi::Function::New(env, probed_functions_js, "probedFunctions"));
    exports.Set("abi", Napi::Function::New(env, abi, "abi"));
    return exports;
}

} // namespace
} // namespace sightline

static Napi::Object init_sightline(Napi::Env env, Napi::Object exports) {
    return sightline::init(env, exports);
}

NODE_API_MODULE(sightline, init_sightline)
