// A Failure as the JavaScript Error that is thrown for it.
#pragma once

#include "failure.h"

#include <napi.h>

namespace sightline {

inline void throw_failure(Napi::Env env, const Failure &failure) {
    Napi::Error error = Napi::Error::New(env, failure.message);
    error.Value().Set("code", failure.code);
    error.ThrowAsJavaScriptException();
}

inline void throw_argument(Napi::Env env, const std::string &message) {
    Napi::TypeError error = Napi::TypeError::New(env, message);
    error.Value().Set("code", "SL_ARGUMENT");
    error.ThrowAsJavaScriptException();
}

} // namespace sightline
