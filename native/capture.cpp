// The object that open() returns: one loaded kernel side, the thread that reads its ring, and the
// hand-over of slabs to JavaScript.
#include "bpf-agent.h"
#include "bpf-log.h"
#include "drop-names.h"
#include "exports.h"
#include "function-probes.h"
#include "js-error.h"
#include "slab-reader.h"
#include "tracing-programs.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>

namespace sightline {
namespace {

constexpr uint32_t kRingMinBytes = 64 * 1024;
constexpr uint32_t kRingMaxBytes = 1024 * 1024 * 1024;
// Of a ring that is filled as fast as it is emptied, the rest is not waited for.
constexpr int kLastRoundsMax = 256;

// Beyond this a number does not name every byte any more.
constexpr double kMaxOffset = 9007199254740991.0;

std::optional<uint64_t> read_offset(const Napi::Value &value) {
    const double offset = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(offset >= 0 && offset <= kMaxOffset) ||
        offset != static_cast<double>(static_cast<uint64_t>(offset))) {
        return std::nullopt;
    }
    return static_cast<uint64_t>(offset);
}

bool read_offsets(const Napi::Value &list, std::vector<uint64_t> *offsets) {
    const Napi::Array array =
        list.IsArray() ? list.As<Napi::Array>() : Napi::Array::New(list.Env());
    bool is_right = list.IsArray() || list.IsUndefined();
    for (uint32_t i = 0; is_right && i < array.Length(); i++) {
        const auto offset = read_offset(array.Get(i));
        is_right = offset.has_value();
        offsets->push_back(offset.value_or(0));
    }
    return is_right;
}

bool read_known_places(const Napi::Value &list, std::vector<KnownProbe> *places) {
    const Napi::Array array =
        list.IsArray() ? list.As<Napi::Array>() : Napi::Array::New(list.Env());
    bool is_right = list.IsArray() || list.IsUndefined();
    for (uint32_t i = 0; is_right && i < array.Length(); i++) {
        const Napi::Value one = array.Get(i);
        is_right = one.IsObject();
        if (is_right) {
            const auto object = one.As<Napi::Object>();
            KnownProbe known;
            const auto offset = read_offset(object.Get("offset"));
            const auto cookie = read_offset(object.Get("cookie"));
            is_right = offset.has_value() && cookie.has_value() &&
                       read_offsets(object.Get("covers"), &known.covered_returns);
            known.place = {offset.value_or(0), cookie.value_or(0)};
            known.has_return = object.Get("canReturnProbe").ToBoolean();
            places->push_back(std::move(known));
        }
    }
    return is_right;
}

// Throws, and returns false, when something is not what it has to be.
bool read_place(const std::string &name, const Napi::Value &offset, const Napi::Value &returns,
                const Napi::Value &results, const Napi::Value &entries, FunctionPlace *place) {
    const auto entry = read_offset(offset);
    if (!entry || !read_offsets(returns, &place->returns) ||
        !read_known_places(results, &place->results) ||
        !read_known_places(entries, &place->entries)) {
        throw_argument(offset.Env(),
                       "attach: the offset of " + name + " is not a whole number of bytes");
        return false;
    }
    place->function = name;
    place->offset = *entry;
    return true;
}

bool read_target(const Napi::Object &request, AttachTarget *target) {
    const Napi::Value stack = request.Get("stack");
    const Napi::Value path = request.Get("path");
    const Napi::Value offsets = request.Get("offsets");
    const Napi::Value returns = request.Get("returns");
    const Napi::Value results = request.Get("results");
    const Napi::Value entries = request.Get("entries");
    const Napi::Value convention = request.Get("convention");
    const bool has_convention = convention.IsString();
    if (!stack.IsString() || !path.IsString() || !offsets.IsObject() ||
        !(returns.IsObject() || returns.IsUndefined()) ||
        !(results.IsObject() || results.IsUndefined()) ||
        !(entries.IsObject() || entries.IsUndefined()) ||
        !(has_convention || convention.IsUndefined())) {
        throw_argument(request.Env(), "attach takes {stack: string, path: string, offsets: object, "
                                      "returns?: object, results?: object, entries?: object, "
                                      "convention?: string}");
        return false;
    }
    target->stack = stack.As<Napi::String>().Utf8Value();
    target->path = path.As<Napi::String>().Utf8Value();
    target->convention = has_convention ? convention.As<Napi::String>().Utf8Value() : "";
    const auto table = offsets.As<Napi::Object>();
    const Napi::Array names = table.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) {
        const std::string name = names.Get(i).ToString().Utf8Value();
        const Napi::Value of_function =
            returns.IsObject() ? returns.As<Napi::Object>().Get(name) : request.Env().Undefined();
        const Napi::Value known =
            results.IsObject() ? results.As<Napi::Object>().Get(name) : request.Env().Undefined();
        const Napi::Value known_entries =
            entries.IsObject() ? entries.As<Napi::Object>().Get(name) : request.Env().Undefined();
        FunctionPlace place;
        if (!read_place(name, table.Get(name), of_function, known, known_entries, &place)) {
            return false;
        }
        target->places.push_back(std::move(place));
    }
    return true;
}

// A position of a stream; Infinity and whatever is beyond exact numbers is none that is reached.
uint64_t position_of(const Napi::Value &value, uint64_t absent) {
    if (!value.IsNumber()) {
        return absent;
    }
    const double position = value.As<Napi::Number>().DoubleValue();
    if (!(position >= 0)) {
        return 0;
    }
    return position <= kMaxOffset ? static_cast<uint64_t>(position) : SL_ANY_POSITION;
}

struct PolicyName {
    std::string_view name;
    sl_policy policy;
};

constexpr PolicyName kPolicyNames[] = {
    {"default", SL_POLICY_DEFAULT},   {"watched", SL_POLICY_WATCHED},
    {"excluded", SL_POLICY_EXCLUDED}, {"tree-excluded", SL_POLICY_TREE_EXCLUDED},
    {"unwanted", SL_POLICY_UNWANTED},
};

struct RestName {
    std::string_view name;
    Rest rest;
};

constexpr RestName kRestNames[] = {
    {"nothing", Rest::kNothing},
    {"reads", Rest::kReads},
    {"everything", Rest::kEverything},
};

class Capture : public Napi::ObjectWrap<Capture> {
  public:
    explicit Capture(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Capture>(info) {
    }
    ~Capture() override {
        shut_down();
    }

    static Napi::Function define(Napi::Env env) {
        return DefineClass(env, "NativeCapture",
                           {
                               InstanceMethod<&Capture::attach>("attach"),
                               InstanceMethod<&Capture::detach>("detach"),
                               InstanceMethod<&Capture::set_process>("setProcess"),
                               InstanceMethod<&Capture::set_verdict>("setVerdict"),
                               InstanceMethod<&Capture::set_file_known>("setFileKnown"),
                               InstanceMethod<&Capture::set_rest>("setRest"),
                               InstanceMethod<&Capture::set_resting>("setResting"),
                               InstanceMethod<&Capture::forget_connection>("forgetConnection"),
                               InstanceMethod<&Capture::features>("features"),
                               InstanceMethod<&Capture::counters>("counters"),
                               InstanceMethod<&Capture::close>("close"),
                           });
    }

    // Everything after construction that can fail. Throws, and leaves nothing behind.
    bool start(Napi::Env env, const AgentOptions &options, Napi::Function on_slab,
               Napi::Function on_log);

  private:
    static void on_environment_end(void *self) {
        static_cast<Capture *>(self)->shut_down();
    }
    static void call_js(Napi::Env env, Napi::Function, Capture *self, void *);
    using Notifier = Napi::TypedThreadSafeFunction<Capture, void, call_js>;

    Napi::Value attach(const Napi::CallbackInfo &info);
    Napi::Value detach(const Napi::CallbackInfo &info);
    Napi::Value set_process(const Napi::CallbackInfo &info);
    Napi::Value set_verdict(const Napi::CallbackInfo &info);
    Napi::Value set_file_known(const Napi::CallbackInfo &info);
    Napi::Value set_rest(const Napi::CallbackInfo &info);
    Napi::Value set_resting(const Napi::CallbackInfo &info);
    Napi::Value forget_connection(const Napi::CallbackInfo &info);
    Napi::Value features(const Napi::CallbackInfo &info);
    Napi::Value counters(const Napi::CallbackInfo &info);
    Napi::Value close(const Napi::CallbackInfo &info);

    bool require_open(Napi::Env env);
    void report(Napi::Env env, const LogScope &log);
    // Hands every filled slab to JavaScript. What the handler throws is kept in `*thrown`, the
    // first one only.
    void deliver(Napi::Env env, Napi::Error *thrown);
    bool hand_over(Napi::Env env, const Slab &slab);
    static bool take_exception(Napi::Env env, Napi::Error *thrown);
    // Stops and frees without calling JavaScript. Also runs when the environment goes away.
    void shut_down();

    std::unique_ptr<BpfAgent> agent_;
    std::unique_ptr<SlabReader> reader_;
    Notifier notifier_;
    Napi::FunctionReference on_slab_;
    Napi::FunctionReference on_log_;
    // The slabs' memory: JavaScript's own, so that a slab is passed on without a copy.
    std::vector<Napi::Reference<Napi::Buffer<uint8_t>>> buffers_;
    Counters last_counters_{};
    uint32_t ring_bytes_ = 0;
    const char *links_ = "single";
    bool is_open_ = false;
    bool delivering_ = false;
};

bool Capture::start(Napi::Env env, const AgentOptions &options, Napi::Function on_slab,
                    Napi::Function on_log) {
    on_slab_ = Napi::Persistent(on_slab);
    on_log_ = Napi::Persistent(on_log);
    ring_bytes_ = options.ring_bytes;
    agent_ = std::make_unique<BpfAgent>();
    Outcome failure;
    {
        LogScope log;
        failure = agent_->open(options);
        report(env, log);
    }
    if (env.IsExceptionPending()) {
        shut_down();
        return false;
    }
    if (!failure) {
        std::vector<uint8_t *> memories;
        for (size_t i = 0; i < SlabReader::kSlabCount; i++) {
            auto buffer = Napi::Buffer<uint8_t>::New(env, SlabReader::kSlabBytes);
            memories.push_back(buffer.Data());
            buffers_.push_back(Napi::Persistent(buffer));
        }
        // Calls only say that slabs are ready, and one takes all of them: a full queue loses
        // nothing.
        notifier_ = Notifier::New(env, "sightline", SlabReader::kSlabCount, 1, this);
        reader_ = std::make_unique<SlabReader>();
        failure =
            reader_->start(agent_->ring_fd(), memories, [this] { notifier_.NonBlockingCall(); });
        napi_add_env_cleanup_hook(env, on_environment_end, this);
    }
    if (failure) {
        if (reader_) {
            reader_.reset();
            notifier_.Abort();
            napi_remove_env_cleanup_hook(env, on_environment_end, this);
        }
        shut_down();
        throw_failure(env, *failure);
        return false;
    }
    links_ = agent_->link_method() == LinkMethod::kMulti ? "multi" : "single";
    is_open_ = true;
    // Stays alive until closed, whether or not JavaScript still refers to it.
    Ref();
    return true;
}

void Capture::call_js(Napi::Env env, Napi::Function, Capture *self, void *) {
    if (env == nullptr || self == nullptr || !self->is_open_) {
        return;
    }
    Napi::HandleScope scope(env);
    Napi::Error thrown;
    self->deliver(env, &thrown);
    if (!thrown.IsEmpty()) {
        napi_fatal_exception(env, thrown.Value());
    }
}

void Capture::deliver(Napi::Env env, Napi::Error *thrown) {
    // A handler that makes the event loop turn must not see a later slab inside an earlier one.
    if (delivering_) {
        return;
    }
    delivering_ = true;
    bool runs = true;
    while (Slab *slab = runs ? reader_->take() : nullptr) {
        Napi::HandleScope scope(env);
        runs = hand_over(env, *slab) || take_exception(env, thrown);
        reader_->give_back(slab);
    }
    delivering_ = false;
}

// By the calls of C: those of C++ end the whole process where a worker is being terminated, and its
// environment runs no JavaScript any more.
bool Capture::hand_over(Napi::Env env, const Slab &slab) {
    const napi_value whole = buffers_[slab.index].Value();
    napi_value subarray = nullptr;
    napi_value range[2] = {};
    napi_value part = nullptr;
    return napi_get_named_property(env, whole, "subarray", &subarray) == napi_ok &&
           napi_create_uint32(env, 0, &range[0]) == napi_ok &&
           napi_create_double(env, static_cast<double>(slab.used), &range[1]) == napi_ok &&
           napi_call_function(env, whole, subarray, std::size(range), range, &part) == napi_ok &&
           napi_call_function(env, env.Undefined(), on_slab_.Value(), 1, &part, nullptr) == napi_ok;
}

// False when there is none: then nothing runs any more.
bool Capture::take_exception(Napi::Env env, Napi::Error *thrown) {
    bool is_pending = false;
    napi_value exception = nullptr;
    if (napi_is_exception_pending(env, &is_pending) != napi_ok || !is_pending ||
        napi_get_and_clear_last_exception(env, &exception) != napi_ok) {
        return false;
    }
    if (thrown->IsEmpty()) {
        *thrown = Napi::Error(env, exception);
    }
    return true;
}

void Capture::report(Napi::Env env, const LogScope &log) {
    for (const LogLine &line : log.lines()) {
        if (env.IsExceptionPending()) {
            return;
        }
        Napi::HandleScope scope(env);
        on_log_.Call({Napi::Number::New(env, line.level), Napi::String::New(env, line.text)});
    }
}

bool Capture::require_open(Napi::Env env) {
    if (is_open_) {
        return true;
    }
    throw_failure(env, {"SL_CAPTURE_CLOSED", "the capture is closed: open another one"});
    return false;
}

Napi::Value Capture::attach(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 1 || !info[0].IsObject()) {
        throw_argument(env, "attach takes an object: {stack, path, offsets}");
        return env.Undefined();
    }
    AttachTarget target;
    if (!read_target(info[0].As<Napi::Object>(), &target)) {
        return env.Undefined();
    }
    int id = 0;
    LogScope log;
    const Outcome failure = agent_->attach(target, &id);
    report(env, log);
    if (env.IsExceptionPending()) {
        return env.Undefined();
    }
    if (failure) {
        throw_failure(env, *failure);
        return env.Undefined();
    }
    return Napi::Number::New(env, id);
}

Napi::Value Capture::detach(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 1 || !info[0].IsNumber()) {
        throw_argument(env, "detach takes the number that attach returned");
        return env.Undefined();
    }
    agent_->detach(info[0].As<Napi::Number>().Int32Value());
    return env.Undefined();
}

Napi::Value Capture::set_process(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    const double pid =
        info.Length() >= 1 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    const std::string policy =
        info.Length() >= 2 && info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
    constexpr double kMaxPid = 4194304;
    if (!(pid >= 1 && pid <= kMaxPid) || pid != static_cast<double>(static_cast<uint32_t>(pid))) {
        throw_argument(env, "setProcess takes the id of a process");
        return env.Undefined();
    }
    const auto *known = std::ranges::find(kPolicyNames, policy, &PolicyName::name);
    const bool is_of_program =
        known != std::end(kPolicyNames) && known->policy == SL_POLICY_UNWANTED;
    if (known == std::end(kPolicyNames) || (is_of_program && !info[2].IsBigInt())) {
        throw_argument(env, "setProcess takes 'default', 'watched', 'excluded', 'tree-excluded' or "
                            "'unwanted', the last with the number of a program");
        return env.Undefined();
    }
    bool is_lossless = false;
    const uint64_t exec_id =
        is_of_program ? info[2].As<Napi::BigInt>().Uint64Value(&is_lossless) : 0;
    const Outcome failure = agent_->set_policy(static_cast<uint32_t>(pid), known->policy, exec_id);
    if (failure) {
        throw_failure(env, *failure);
    }
    return env.Undefined();
}

Napi::Value Capture::set_verdict(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsObject()) {
        throw_argument(env, "setVerdict takes a connection and a verdict");
        return env.Undefined();
    }
    const auto connection = info[0].As<Napi::Object>();
    const auto verdict = info[1].As<Napi::Object>();
    const Napi::Value process = connection.Get("process");
    const Napi::Value object = connection.Get("object");
    const Napi::Value generation = connection.Get("generation");
    const Napi::Value pid =
        process.IsObject() ? process.As<Napi::Object>().Get("pid") : env.Undefined();
    if (!pid.IsNumber() || !object.IsNumber() || !generation.IsBigInt()) {
        throw_argument(env, "setVerdict: the connection lacks its process, object or generation");
        return env.Undefined();
    }
    bool is_lossless = false;
    sl_verdict value{};
    value.generation = generation.As<Napi::BigInt>().Uint64Value(&is_lossless);
    value.until[SL_DIRECTION_READ] = position_of(verdict.Get("readUntil"), 0);
    value.until[SL_DIRECTION_WRITE] = position_of(verdict.Get("writeUntil"), 0);
    value.while_other_at[SL_DIRECTION_READ] =
        position_of(verdict.Get("whileWrittenBytes"), SL_ANY_POSITION);
    value.while_other_at[SL_DIRECTION_WRITE] =
        position_of(verdict.Get("whileReadBytes"), SL_ANY_POSITION);
    value.stream[SL_DIRECTION_READ] =
        static_cast<uint32_t>(position_of(verdict.Get("readStream"), 0));
    value.stream[SL_DIRECTION_WRITE] =
        static_cast<uint32_t>(position_of(verdict.Get("writeStream"), 0));
    const Outcome failure =
        agent_->set_verdict(pid.As<Napi::Number>().Uint32Value(),
                            static_cast<uint64_t>(object.As<Napi::Number>().DoubleValue()), value);
    if (failure) {
        throw_failure(env, *failure);
    }
    return env.Undefined();
}

Napi::Value Capture::set_file_known(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 2 || !info[0].IsTypedArray() || !info[1].IsBoolean() ||
        info[0].As<Napi::TypedArray>().ByteLength() != sizeof(sl_file)) {
        throw_argument(env, "setFileKnown takes the file of a mapping record, and a boolean");
        return env.Undefined();
    }
    const auto bytes = info[0].As<Napi::TypedArray>();
    sl_file file;
    memcpy(&file, static_cast<uint8_t *>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset(),
           sizeof(file));
    const Outcome failure = agent_->set_file_known(file, info[1].As<Napi::Boolean>().Value());
    if (failure) {
        throw_failure(env, *failure);
    }
    return env.Undefined();
}

Napi::Value Capture::set_rest(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    const std::string name =
        info.Length() >= 2 && info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
    const auto *known = std::ranges::find(kRestNames, name, &RestName::name);
    if (!info[0].IsNumber() || known == std::end(kRestNames)) {
        throw_argument(env, "setRest takes the number that attach returned, and 'nothing', "
                            "'reads' or 'everything'");
        return env.Undefined();
    }
    bool is_any = false;
    const Outcome failure =
        agent_->set_rest(info[0].As<Napi::Number>().Int32Value(), known->rest, &is_any);
    if (failure) {
        throw_failure(env, *failure);
        return env.Undefined();
    }
    return Napi::Boolean::New(env, is_any);
}

Napi::Value Capture::set_resting(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsBoolean()) {
        throw_argument(env, "setResting takes the id of a process, and a boolean");
        return env.Undefined();
    }
    const Outcome failure = agent_->set_resting(info[0].As<Napi::Number>().Uint32Value(),
                                                info[1].As<Napi::Boolean>().Value());
    if (failure) {
        throw_failure(env, *failure);
    }
    return env.Undefined();
}

Napi::Value Capture::forget_connection(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsNumber()) {
        throw_argument(env, "forgetConnection takes the id of a process, and an address");
        return env.Undefined();
    }
    agent_->forget_connection(info[0].As<Napi::Number>().Uint32Value(),
                              static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue()));
    return env.Undefined();
}

Napi::Value Capture::features(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!require_open(env)) {
        return env.Undefined();
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("mappings", Napi::Boolean::New(env, agent_->has_group(kMappings) ||
                                                       agent_->has_group(kTouchedMappings)));
    result.Set("plain", Napi::Boolean::New(env, agent_->has_group(kPlain)));
    result.Set("resting", Napi::Boolean::New(env, agent_->has_group(kResting)));
    result.Set("missing", Napi::String::New(env, agent_->missing()));
    return result;
}

Napi::Value Capture::counters(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    const Counters now = is_open_ ? agent_->counters() : last_counters_;
    Napi::Object drops = Napi::Object::New(env);
    double dropped_bytes = 0;
    for (const DropName &drop : kDropNames) {
        drops.Set(drop.name, Napi::Number::New(env, static_cast<double>(now[drop.reason].records)));
        dropped_bytes += static_cast<double>(now[drop.reason].bytes);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("records", Napi::Number::New(env, static_cast<double>(now[SL_DROP_NONE].records)));
    result.Set("bytes", Napi::Number::New(env, static_cast<double>(now[SL_DROP_NONE].bytes)));
    result.Set("drops", drops);
    result.Set("droppedBytes", Napi::Number::New(env, dropped_bytes));
    result.Set("probeLinks", links_);
    result.Set("ringBytes", Napi::Number::New(env, ring_bytes_));
    const double pending = is_open_ ? static_cast<double>(reader_->pending_bytes()) : 0;
    result.Set("ringPendingBytes", Napi::Number::New(env, pending));
    return result;
}

Napi::Value Capture::close(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!is_open_) {
        return env.Undefined();
    }
    if (delivering_) {
        throw_failure(env, {"SL_CAPTURE_BUSY",
                            "a capture cannot be closed from within onSlab: close it later"});
        return env.Undefined();
    }
    Napi::Error thrown;
    // What there is by now is the end of it. While probes end, one by one, calls are seen to begin
    // and not to end, and the other way round: that is told to nobody.
    reader_->stop();
    deliver(env, &thrown);
    bool more = true;
    for (int round = 0; more && round < kLastRoundsMax; round++) {
        more = reader_->drain();
        deliver(env, &thrown);
    }
    last_counters_ = agent_->counters();
    agent_->detach_all();
    notifier_.Release();
    napi_remove_env_cleanup_hook(env, on_environment_end, this);
    shut_down();
    Unref();
    if (!thrown.IsEmpty()) {
        thrown.ThrowAsJavaScriptException();
    }
    return env.Undefined();
}

void Capture::shut_down() {
    is_open_ = false;
    if (agent_) {
        agent_->detach_all();
    }
    reader_.reset();
    agent_.reset();
    buffers_.clear();
    on_slab_.Reset();
    on_log_.Reset();
}

} // namespace

Napi::Function define_capture(Napi::Env env) {
    return Capture::define(env);
}

Napi::Value probed_functions_js(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    Napi::Object result = Napi::Object::New(env);
    for (const std::string &stack : probed_stacks()) {
        const std::vector<std::string> functions = probed_functions(stack);
        Napi::Array names = Napi::Array::New(env, functions.size());
        for (uint32_t i = 0; i < functions.size(); i++) {
            names.Set(i, functions[i]);
        }
        result.Set(stack, names);
    }
    return result;
}

Napi::Value open_capture(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() < 1 || !info[0].IsObject()) {
        throw_argument(env, "open takes {ringBytes, watchAll, onSlab, onLog}");
        return env.Undefined();
    }
    const auto options = info[0].As<Napi::Object>();
    const Napi::Value ring = options.Get("ringBytes");
    const Napi::Value watch_all = options.Get("watchAll");
    const Napi::Value on_slab = options.Get("onSlab");
    const Napi::Value on_log = options.Get("onLog");
    const Napi::Value probe_links = options.Get("probeLinks");
    const Napi::Value judges_programs = options.Get("judgesPrograms");
    const Napi::Value judges_names = options.Get("judgesNames");
    const Napi::Value mappings = options.Get("mappings");
    const Napi::Value plain = options.Get("plain");
    const Napi::Value load_ahead = options.Get("loadAhead");
    if (!ring.IsNumber() || !watch_all.IsBoolean() || !on_slab.IsFunction() ||
        !on_log.IsFunction()) {
        throw_argument(
            env,
            "open takes {ringBytes: number, watchAll: boolean, onSlab: function, onLog: function}");
        return env.Undefined();
    }
    const double ring_bytes = ring.As<Napi::Number>().DoubleValue();
    const auto whole = ring_bytes >= kRingMinBytes && ring_bytes <= kRingMaxBytes
                           ? static_cast<uint32_t>(ring_bytes)
                           : 0;
    if (whole == 0 || whole != ring_bytes || (whole & (whole - 1)) != 0) {
        throw_failure(
            env,
            {"SL_RING_BYTES",
             "the ring's size must be a power of two from 65536 (64 KiB) to 1073741824 (1 GiB)"});
        return env.Undefined();
    }
    const std::string links = probe_links.IsString() ? probe_links.As<Napi::String>().Utf8Value()
                              : probe_links.IsUndefined() ? "auto"
                                                          : "";
    if (links != "auto" && links != "single") {
        throw_argument(env, "open takes 'auto' or 'single' as probeLinks");
        return env.Undefined();
    }
    Napi::Object object = env.GetInstanceData<AddonData>()->capture_class.New({});
    if (env.IsExceptionPending()) {
        return env.Undefined();
    }
    Capture *capture = Capture::Unwrap(object);
    const AgentOptions agent_options = {
        .ring_bytes = whole,
        .watch_all = watch_all.As<Napi::Boolean>().Value(),
        .judges_programs =
            judges_programs.IsBoolean() && judges_programs.As<Napi::Boolean>().Value(),
        .judges_names = judges_names.IsBoolean() && judges_names.As<Napi::Boolean>().Value(),
        .single_links = links == "single",
        .mappings = mappings.IsBoolean() && mappings.As<Napi::Boolean>().Value(),
        .plain = plain.IsBoolean() && plain.As<Napi::Boolean>().Value(),
        .load_ahead = load_ahead.IsBoolean() && load_ahead.As<Napi::Boolean>().Value(),
    };
    if (!capture->start(env, agent_options, on_slab.As<Napi::Function>(),
                        on_log.As<Napi::Function>())) {
        return env.Undefined();
    }
    return object;
}

} // namespace sightline
