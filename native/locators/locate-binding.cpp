// identify(path), locate(path, options) and locateSync(path, options) for JavaScript.
#include "../exports.h"
#include "../js-error.h"
#include "locate.h"

namespace sightline {
namespace {

Napi::Array texts(Napi::Env env, const std::vector<std::string> &values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) {
        array.Set(i, values[i]);
    }
    return array;
}

// File offsets are below 2^53.
Napi::Number number(Napi::Env env, uint64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Value text_or_nothing(Napi::Env env, const std::string &text) {
    return text.empty() ? env.Undefined() : Napi::String::New(env, text).As<Napi::Value>();
}

Napi::Object identity_of(Napi::Env env, const FileIdentity &identity) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("locatorsRevision", Napi::Number::New(env, kLocatorsRevision));
    object.Set("buildId", text_or_nothing(env, identity.build_id));
    object.Set("sizeBytes", number(env, identity.size_bytes));
    object.Set("layoutDigest", Napi::BigInt::New(env, identity.layout_digest));
    object.Set("owner", Napi::Number::New(env, identity.owner));
    object.Set("device", Napi::BigInt::New(env, identity.device));
    object.Set("inode", Napi::BigInt::New(env, identity.inode));
    object.Set("modifiedNs", Napi::BigInt::New(env, identity.modified_ns));
    return object;
}

Napi::Array numbers(Napi::Env env, const std::vector<uint64_t> &values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) {
        array.Set(i, number(env, values[i]));
    }
    return array;
}

Napi::Array places(Napi::Env env, const std::vector<KnownPlace> &known) {
    Napi::Array array = Napi::Array::New(env, known.size());
    for (uint32_t i = 0; i < known.size(); i++) {
        Napi::Object place = Napi::Object::New(env);
        place.Set("offset", number(env, known[i].offset));
        place.Set("cookie", number(env, known[i].cookie));
        place.Set("instruction", known[i].instruction);
        place.Set("value", known[i].value);
        place.Set("covers", numbers(env, known[i].covers));
        place.Set("canReturnProbe", known[i].can_return_probe);
        array.Set(i, place);
    }
    return array;
}

Napi::Object function_object(Napi::Env env, const LocatedFunction &function) {
    Napi::Object object = Napi::Object::New(env);
    const Placement &placement = function.placement;
    object.Set("name", function.name);
    object.Set("signature", function.signature);
    object.Set("covers", texts(env, function.covers));
    object.Set("functionOffset", number(env, function.offset));
    object.Set("offset", number(env, placement.offset));
    object.Set("chosen", placement.chosen);
    object.Set("why", placement.why);
    object.Set("instruction", text_or_nothing(env, placement.instruction));
    object.Set("isEmulated", placement.is_emulated);
    object.Set("canReturnProbe", placement.can_return_probe);
    object.Set("returns", numbers(env, function.returns));
    object.Set("results", places(env, function.results));
    object.Set("entries", places(env, function.entries));
    object.Set("returnsWhy", text_or_nothing(env, function.returns_why));
    return object;
}

Napi::Object stack_object(Napi::Env env, const LocatedStack &stack) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("stack", stack.stack);
    object.Set("version", text_or_nothing(env, stack.version));
    object.Set("locatedBy", stack.located_by);
    object.Set("convention", stack.convention);
    object.Set("evidence", stack.evidence);
    Napi::Array functions = Napi::Array::New(env, stack.functions.size());
    for (uint32_t i = 0; i < stack.functions.size(); i++) {
        functions.Set(i, function_object(env, stack.functions[i]));
    }
    object.Set("functions", functions);
    return object;
}

Napi::Object result_object(Napi::Env env, const LocateResult &result) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("identity", identity_of(env, result.identity));
    Napi::Array found = Napi::Array::New(env, result.locations.found.size());
    for (uint32_t i = 0; i < result.locations.found.size(); i++) {
        found.Set(i, stack_object(env, result.locations.found[i]));
    }
    object.Set("stacks", found);
    Napi::Array refused = Napi::Array::New(env, result.locations.refused.size());
    for (uint32_t i = 0; i < result.locations.refused.size(); i++) {
        const Refusal &refusal = result.locations.refused[i];
        Napi::Object entry = Napi::Object::New(env);
        entry.Set("stack", text_or_nothing(env, refusal.stack));
        entry.Set("reason", refusal.reason);
        refused.Set(i, entry);
    }
    object.Set("refusals", refused);
    object.Set("isComplete", result.locations.is_complete);
    return object;
}

bool read_arguments(const Napi::CallbackInfo &info, std::string *path, SearchLimits *limits) {
    if (info.Length() < 1 || !info[0].IsString()) {
        throw_argument(info.Env(), "locate takes a path, and an object with the limits to keep");
        return false;
    }
    *path = info[0].As<Napi::String>().Utf8Value();
    if (info.Length() > 1 && info[1].IsObject()) {
        const Napi::Value time = info[1].As<Napi::Object>().Get("timeMs");
        if (time.IsNumber() && time.As<Napi::Number>().DoubleValue() >= 1) {
            limits->time_ms = time.As<Napi::Number>().Uint32Value();
        }
    }
    return true;
}

// Searches on a thread of the pool.
class LocateWorker : public Napi::AsyncWorker {
  public:
    LocateWorker(Napi::Env env, std::string path, SearchLimits limits)
        : Napi::AsyncWorker(env, "sightline-locate"), path_(std::move(path)), limits_(limits),
          promise_(Napi::Promise::Deferred::New(env)) {
    }
    Napi::Promise promise() const {
        return promise_.Promise();
    }
    void Execute() override {
        failure_ = locate_functions(path_, limits_, &result_);
    }
    void OnOK() override {
        const Napi::HandleScope scope(Env());
        if (failure_) {
            Napi::Error error = Napi::Error::New(Env(), failure_->message);
            error.Value().Set("code", failure_->code);
            promise_.Reject(error.Value());
        } else {
            promise_.Resolve(result_object(Env(), result_));
        }
    }

  private:
    std::string path_;
    SearchLimits limits_;
    Napi::Promise::Deferred promise_;
    LocateResult result_;
    Outcome failure_;
};

} // namespace

Napi::Value identify_js(const Napi::CallbackInfo &info) {
    std::string path;
    SearchLimits limits;
    if (!read_arguments(info, &path, &limits)) {
        return info.Env().Undefined();
    }
    ElfFile file;
    const Outcome failure = file.open(path);
    if (failure) {
        throw_failure(info.Env(), *failure);
        return info.Env().Undefined();
    }
    return identity_of(info.Env(), file.identity());
}

Napi::Value locate_js(const Napi::CallbackInfo &info) {
    std::string path;
    SearchLimits limits;
    if (!read_arguments(info, &path, &limits)) {
        return info.Env().Undefined();
    }
    // Deletes itself when done.
    auto *worker = new LocateWorker(info.Env(), std::move(path), limits);
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
}

Napi::Value locate_sync_js(const Napi::CallbackInfo &info) {
    std::string path;
    SearchLimits limits;
    if (!read_arguments(info, &path, &limits)) {
        return info.Env().Undefined();
    }
    LocateResult result;
    const Outcome failure = locate_functions(path, limits, &result);
    if (failure) {
        throw_failure(info.Env(), *failure);
        return info.Env().Undefined();
    }
    return result_object(info.Env(), result);
}

} // namespace sightline
