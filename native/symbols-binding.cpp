// locateSymbols(path, names) for JavaScript.
#include "elf-symbols.h"
#include "exports.h"
#include "js-error.h"

namespace sightline {

Napi::Value locate_symbols_js(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() < 2 || !info[0].IsString() || !info[1].IsArray()) {
        throw_argument(env, "locateSymbols takes a path and an array of names");
        return env.Undefined();
    }
    const auto list = info[1].As<Napi::Array>();
    std::vector<std::string> names;
    for (uint32_t i = 0; i < list.Length(); i++) {
        const Napi::Value name = list.Get(i);
        if (!name.IsString()) {
            throw_argument(env, "locateSymbols takes names that are strings");
            return env.Undefined();
        }
        names.push_back(name.As<Napi::String>().Utf8Value());
    }
    LocatedSymbols located;
    const Outcome failure = locate_symbols(info[0].As<Napi::String>().Utf8Value(), names, &located);
    if (failure) {
        throw_failure(env, *failure);
        return env.Undefined();
    }
    Napi::Object offsets = Napi::Object::New(env);
    for (const auto &[name, offset] : located.offsets) {
        offsets.Set(name, Napi::Number::New(env, static_cast<double>(offset)));
    }
    Napi::Object result = Napi::Object::New(env);
    if (located.build_id.empty()) {
        result.Set("buildId", env.Undefined());
    } else {
        result.Set("buildId", located.build_id);
    }
    result.Set("offsets", offsets);
    return result;
}

} // namespace sightline
