// abi(): what bpf/abi/events.h says, as the compiler sees it, for the decoder's contract test.
#include "../bpf/abi/events.h"
#include "drop-names.h"
#include "exports.h"

#include <cstddef>
#include <string>

namespace sightline {
namespace {

struct Entry {
    const char *name;
    double value;
};

#define CONSTANT(name)                                                                             \
    { #name, static_cast < double>(name) }
#define SIZE(type)                                                                                 \
    { "sizeof." #type, static_cast<double>(sizeof(type)) }
#define OFFSET(type, field)                                                                        \
    { #type "." #field, static_cast < double>(offsetof(type, field)) }

constexpr Entry kEntries[] = {
    CONSTANT(SL_ABI_VERSION),
    CONSTANT(SL_CHUNK_MAX),
    CONSTANT(SL_CALL_MAX),
    CONSTANT(SL_ARGV_MAX),
    CONSTANT(SL_COMM_BYTES),
    CONSTANT(SL_SERVICE_NAME_MAX),
    CONSTANT(SL_PATH_MAX),
    CONSTANT(SL_RECORD_DATA),
    CONSTANT(SL_RECORD_LOSS),
    CONSTANT(SL_RECORD_CLOSE),
    CONSTANT(SL_RECORD_FORK),
    CONSTANT(SL_RECORD_ARGV),
    CONSTANT(SL_RECORD_EXEC),
    CONSTANT(SL_RECORD_EXIT),
    CONSTANT(SL_RECORD_SKIP),
    CONSTANT(SL_RECORD_MAPPING),
    CONSTANT(SL_RECORD_PEER),
    CONSTANT(SL_RECORD_HANDSHAKE),
    CONSTANT(SL_RECORD_SERVER_NAME),
    CONSTANT(SL_RECORD_RENAME),
    CONSTANT(SL_RECORD_WAKE),
    CONSTANT(SL_SIDE_UNKNOWN),
    CONSTANT(SL_SIDE_CLIENT),
    CONSTANT(SL_SIDE_SERVER),
    CONSTANT(SL_HANDSHAKE_COMPLETED),
    CONSTANT(SL_HANDSHAKE_FAILED),
    CONSTANT(SL_HANDSHAKE_ABANDONED),
    CONSTANT(SL_HANDSHAKE_UNVERIFIED),
    CONSTANT(SL_CODE_NONE),
    CONSTANT(SL_CODE_OPENSSL),
    CONSTANT(SL_CODE_X509),
    CONSTANT(SL_CODE_GNUTLS),
    CONSTANT(SL_CODE_GNUTLS_STATUS),
    CONSTANT(SL_CODE_NSS),
    CONSTANT(SL_CODE_ALERT_SENT),
    CONSTANT(SL_CODE_ALERT_RECEIVED),
    CONSTANT(SL_CODE_BORINGSSL),
    CONSTANT(SL_SERVER_NAME_MAX),
    CONSTANT(SL_DIRECTION_READ),
    CONSTANT(SL_DIRECTION_WRITE),
    CONSTANT(SL_STACK_OPENSSL),
    CONSTANT(SL_STACK_BORINGSSL),
    CONSTANT(SL_STACK_GNUTLS),
    CONSTANT(SL_STACK_NSS),
    CONSTANT(SL_STACK_GO),
    CONSTANT(SL_STACK_RUSTLS),
    CONSTANT(SL_STACK_PLAIN),
    CONSTANT(SL_DROP_COUNT),
    CONSTANT(SL_EXEC_PATH_CUT),
    CONSTANT(SL_EXEC_ENVIRONMENT_CUT),

    SIZE(sl_record_header),
    OFFSET(sl_record_header, size),
    OFFSET(sl_record_header, kind),
    OFFSET(sl_record_header, flags),

    SIZE(sl_process),
    OFFSET(sl_process, start_ns),
    OFFSET(sl_process, pid),
    OFFSET(sl_process, tid),

    SIZE(sl_stream_record),
    OFFSET(sl_stream_record, time_ns),
    OFFSET(sl_stream_record, enter_ns),
    OFFSET(sl_stream_record, process),
    OFFSET(sl_stream_record, object),
    OFFSET(sl_stream_record, generation),
    OFFSET(sl_stream_record, position),
    OFFSET(sl_stream_record, sequence),
    OFFSET(sl_stream_record, call_bytes),
    OFFSET(sl_stream_record, call_offset),
    OFFSET(sl_stream_record, bytes),
    OFFSET(sl_stream_record, direction),
    OFFSET(sl_stream_record, stack),
    OFFSET(sl_stream_record, reason),
    OFFSET(sl_stream_record, frame_stream),

    SIZE(sl_close_record),
    OFFSET(sl_close_record, time_ns),
    OFFSET(sl_close_record, process),
    OFFSET(sl_close_record, object),
    OFFSET(sl_close_record, generation),
    OFFSET(sl_close_record, read_position),
    OFFSET(sl_close_record, write_position),
    OFFSET(sl_close_record, stack),

    SIZE(sl_peer_record),
    OFFSET(sl_peer_record, time_ns),
    OFFSET(sl_peer_record, process),
    OFFSET(sl_peer_record, object),
    OFFSET(sl_peer_record, generation),
    OFFSET(sl_peer_record, address),
    OFFSET(sl_peer_record, local_address),
    OFFSET(sl_peer_record, port),
    OFFSET(sl_peer_record, local_port),
    OFFSET(sl_peer_record, ip_version),
    OFFSET(sl_peer_record, stack),
    OFFSET(sl_peer_record, is_inferred),

    SIZE(sl_handshake_record),
    OFFSET(sl_handshake_record, time_ns),
    OFFSET(sl_handshake_record, begin_ns),
    OFFSET(sl_handshake_record, process),
    OFFSET(sl_handshake_record, object),
    OFFSET(sl_handshake_record, generation),
    OFFSET(sl_handshake_record, code),
    OFFSET(sl_handshake_record, code_kind),
    OFFSET(sl_handshake_record, outcome),
    OFFSET(sl_handshake_record, side),
    OFFSET(sl_handshake_record, stack),

    SIZE(sl_server_name_record),
    OFFSET(sl_server_name_record, time_ns),
    OFFSET(sl_server_name_record, process),
    OFFSET(sl_server_name_record, object),
    OFFSET(sl_server_name_record, generation),
    OFFSET(sl_server_name_record, name_bytes),
    OFFSET(sl_server_name_record, stack),
    OFFSET(sl_server_name_record, name),

    SIZE(sl_fork_record),
    OFFSET(sl_fork_record, time_ns),
    OFFSET(sl_fork_record, process),
    OFFSET(sl_fork_record, parent),

    SIZE(sl_file),
    OFFSET(sl_file, inode),
    OFFSET(sl_file, bytes),
    OFFSET(sl_file, device),
    OFFSET(sl_file, generation),

    SIZE(sl_rename_record),
    OFFSET(sl_rename_record, time_ns),
    OFFSET(sl_rename_record, process),
    OFFSET(sl_rename_record, exec_id),
    OFFSET(sl_rename_record, comm),

    SIZE(sl_mapping_record),
    OFFSET(sl_mapping_record, time_ns),
    OFFSET(sl_mapping_record, process),
    OFFSET(sl_mapping_record, file),

    SIZE(sl_wake_record),
    OFFSET(sl_wake_record, time_ns),
    OFFSET(sl_wake_record, process),

    SIZE(sl_exit_record),
    OFFSET(sl_exit_record, time_ns),
    OFFSET(sl_exit_record, process),
    OFFSET(sl_exit_record, code),
    OFFSET(sl_exit_record, signal),

    SIZE(sl_argv_record),
    OFFSET(sl_argv_record, time_ns),
    OFFSET(sl_argv_record, process),
    OFFSET(sl_argv_record, offset),
    OFFSET(sl_argv_record, bytes),

    SIZE(sl_exec_record),
    OFFSET(sl_exec_record, time_ns),
    OFFSET(sl_exec_record, process),
    OFFSET(sl_exec_record, parent),
    OFFSET(sl_exec_record, cgroup_id),
    OFFSET(sl_exec_record, argv_bytes),
    OFFSET(sl_exec_record, exec_id),
    OFFSET(sl_exec_record, uid),
    OFFSET(sl_exec_record, gid),
    OFFSET(sl_exec_record, service_name_bytes),
    OFFSET(sl_exec_record, path_bytes),
    OFFSET(sl_exec_record, comm),
    OFFSET(sl_exec_record, service_name),
    OFFSET(sl_exec_record, path),
};

} // namespace

Napi::Value abi(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    Napi::Object result = Napi::Object::New(env);
    for (const Entry &entry : kEntries) {
        result.Set(entry.name, Napi::Number::New(env, entry.value));
    }
    for (const DropName &drop : kDropNames) {
        result.Set(std::string("drop.") + drop.name, Napi::Number::New(env, drop.reason));
    }
    return result;
}

} // namespace sightline
