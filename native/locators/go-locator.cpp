#include "go-locator.h"

#include "place-cookie.h"
#include "relocations.h"
#include "result-places.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace sightline {
namespace {

const char *const kStack = "go";

constexpr uint64_t kMaxTableBytes = 1024ull * 1024 * 1024;
constexpr uint64_t kMaxFunctions = 16ull * 1024 * 1024;
constexpr uint64_t kMaxVersionBytes = 256;
constexpr uint64_t kMaxNamesBytes = 256ull * 1024 * 1024;

constexpr uint32_t kMagic12 = 0xfffffffb;
constexpr uint32_t kMagic116 = 0xfffffffa;
constexpr uint32_t kMagic118 = 0xfffffff0;
constexpr uint32_t kMagic120 = 0xfffffff1;

constexpr std::array<std::string_view, 7> kNames = {
    "crypto/tls.(*Conn).Read",
    "crypto/tls.(*Conn).Write",
    "crypto/tls.(*Conn).Close",
    "crypto/tls.(*Conn).clientHandshake",
    "crypto/tls.(*Conn).serverHandshake",
    "crypto/tls.(*Conn).sendAlert",
    "crypto/tls.hostnameInSNI",
};

// The others tell of handshakes; without them the rest is as good.
constexpr size_t kNeededNames = 3;
// Read and Write.
constexpr size_t kNamesWithBytes = 2;

struct GoFunction {
    uint64_t start = 0;
    uint64_t end = 0;
    bool is_found = false;
    bool is_ambiguous = false;
};

// The table of functions, whose layout changed with Go 1.16, 1.18 and 1.20.
struct FunctionTable {
    uint64_t address = 0;
    uint64_t bytes = 0;
    uint32_t magic = 0;
    uint64_t function_count = 0;
    // All relative to the table.
    uint64_t names = 0;
    uint64_t functions = 0;
    // What function entries are relative to; 0 before 1.18, where they are addresses.
    uint64_t text = 0;

    bool is_relative() const {
        return magic == kMagic118 || magic == kMagic120;
    }
    uint64_t row_bytes() const {
        return is_relative() ? 8 : 16;
    }
};

template <typename T> std::optional<T> value_in(const std::vector<uint8_t> &bytes, uint64_t at) {
    if (at > bytes.size() || bytes.size() - at < sizeof(T)) {
        return std::nullopt;
    }
    T value;
    memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

std::optional<FunctionTable> table_at(const ElfFile &file, uint64_t address) {
    const std::vector<uint8_t> header = file.read_up_to(address, 72);
    const Segment *segment = file.segment_of(address);
    if (segment == nullptr || header.size() < 16) {
        return std::nullopt;
    }
    FunctionTable table;
    table.address = address;
    table.bytes = std::min(segment->bytes - (address - segment->address), kMaxTableBytes);
    table.magic = *value_in<uint32_t>(header, 0);
    // Two zeros, the smallest instruction's size, and the size of an address.
    const bool is_known = table.magic == kMagic12 || table.magic == kMagic116 ||
                          table.magic == kMagic118 || table.magic == kMagic120;
    const bool has_quantum = header[6] == 1 || header[6] == 2 || header[6] == 4;
    if (!is_known || header[4] != 0 || header[5] != 0 || !has_quantum || header[7] != 8) {
        return std::nullopt;
    }
    table.function_count = *value_in<uint64_t>(header, 8);
    if (table.magic == kMagic12) {
        table.functions = 16;
    } else {
        const uint64_t first = table.is_relative() ? 32 : 24;
        const auto names = value_in<uint64_t>(header, first);
        const auto functions = value_in<uint64_t>(header, first + 32);
        if (!names || !functions) {
            return std::nullopt;
        }
        table.names = *names;
        table.functions = *functions;
        table.text = table.is_relative() ? *value_in<uint64_t>(header, 24) : 0;
    }
    if (table.function_count == 0 || table.function_count > kMaxFunctions ||
        table.names >= table.bytes || table.functions >= table.bytes ||
        (table.function_count + 1) * table.row_bytes() > table.bytes - table.functions) {
        return std::nullopt;
    }
    return table;
}

// By its section's name; programs that another linker put together have it elsewhere.
std::vector<FunctionTable> tables_in(const ElfFile &file) {
    std::vector<FunctionTable> tables;
    for (const char *name : {".gopclntab", ".data.rel.ro.gopclntab", ".gopclntab.rel.ro"}) {
        const Section *section = file.section(name);
        if (section != nullptr) {
            const auto table = table_at(file, section->header.sh_addr);
            if (table) {
                tables.push_back(*table);
            }
        }
    }
    return tables;
}

// Since 1.26 the header does not say what entries are relative to, and in programs that the loader
// moves it is relocated: the runtime's description of the module has the first function's address.
std::vector<uint64_t> text_candidates(const CodeSearch &search, const FunctionTable &table,
                                      uint32_t first_entry) {
    std::vector<uint64_t> candidates;
    const auto add = [&](uint64_t text) {
        if (search.file.code_segment_of(text) != nullptr &&
            std::find(candidates.begin(), candidates.end(), text) == candidates.end()) {
            candidates.push_back(text);
        }
    };
    Relocations relocations;
    if (relocations.read(search.file, search.limits, search.deadline) != ScanEnd::complete) {
        return candidates;
    }
    std::vector<uint64_t> descriptions;
    std::vector<DataWord> words;
    find_words(search.file, {{table.address, table.address + 1}}, search.limits, search.deadline,
               &words);
    for (const DataWord &word : words) {
        descriptions.push_back(word.at);
    }
    for (const DataWord &entry : relocations.entries()) {
        if (entry.value == table.address) {
            descriptions.push_back(entry.at);
        }
    }
    for (const uint64_t description : descriptions) {
        // runtime.moduledata: the header, six slices (names, units, files, counters, functions, and
        // rows), a table, then the lowest and highest function addresses.
        const std::vector<uint64_t> fields = relocations.words_at(search.file, description, 22);
        if (fields.size() < 22 || fields[1] != table.address + table.names ||
            fields[16] != table.address + table.functions || fields[17] < table.function_count ||
            fields[20] < first_entry || fields[20] >= fields[21]) {
            continue;
        }
        add(fields[20] - first_entry);
    }
    if (candidates.empty() && table.text != 0) {
        add(table.text);
    }
    return candidates;
}

class TableReader {
  public:
    TableReader(const ElfFile &file, const FunctionTable &table) : table_(table) {
        rows_ = file.read_up_to(table.address + table.functions,
                                (table.function_count + 1) * table.row_bytes());
        // Everything is read by offsets from the table's beginning, up to its end.
        rest_ = file.read_up_to(table.address, std::min(table.bytes, kMaxNamesBytes));
    }
    bool is_complete() const {
        return rows_.size() == (table_.function_count + 1) * table_.row_bytes();
    }
    uint64_t entry(uint64_t row) const {
        const uint64_t at = row * table_.row_bytes();
        return table_.is_relative() ? value_in<uint32_t>(rows_, at).value_or(0)
                                    : value_in<uint64_t>(rows_, at).value_or(0);
    }
    std::string_view name(uint64_t row) const {
        const uint64_t at = row * table_.row_bytes();
        const uint64_t description = table_.is_relative()
                                         ? value_in<uint32_t>(rows_, at + 4).value_or(UINT32_MAX)
                                         : value_in<uint64_t>(rows_, at + 8).value_or(UINT64_MAX);
        // Descriptions are relative to the rows since 1.16, to the table before.
        const uint64_t base = table_.magic == kMagic12 ? 0 : table_.functions;
        const uint64_t name_field = table_.is_relative() ? 4 : 8;
        if (description > rest_.size()) {
            return {};
        }
        const auto offset = value_in<uint32_t>(rest_, base + description + name_field);
        if (!offset) {
            return {};
        }
        const uint64_t start = table_.names + *offset;
        if (start >= rest_.size()) {
            return {};
        }
        const auto *text = reinterpret_cast<const char *>(rest_.data() + start);
        const size_t most = std::min<size_t>(rest_.size() - start, 64);
        return {text, strnlen(text, most)};
    }

    // Of the function that the address is in; relative to the first, as entry() is.
    std::string_view name_at(uint64_t address) const {
        uint64_t low = 0;
        uint64_t high = table_.function_count;
        while (low + 1 < high) {
            const uint64_t middle = low + (high - low) / 2;
            (entry(middle) <= address ? low : high) = middle;
        }
        return entry(low) <= address && address < entry(low + 1) ? name(low) : std::string_view{};
    }

  private:
    const FunctionTable &table_;
    std::vector<uint8_t> rows_;
    std::vector<uint8_t> rest_;
};

uint64_t read_varint(const std::vector<uint8_t> &bytes, size_t *at) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && *at < bytes.size(); shift += 7) {
        const uint8_t next = bytes[(*at)++];
        value |= static_cast<uint64_t>(next & 0x7f) << shift;
        if ((next & 0x80) == 0) {
            return value;
        }
    }
    return UINT64_MAX;
}

std::string text_at(const ElfFile &file, uint64_t address, uint64_t bytes) {
    const auto found = file.read_up_to(address, bytes);
    return found.size() == bytes ? std::string(found.begin(), found.end()) : "";
}

// https://go.dev/src/debug/buildinfo/buildinfo.go
std::string build_version(const CodeSearch &search) {
    const Section *section = search.file.section(".go.buildinfo");
    if (section == nullptr) {
        return "";
    }
    const auto bytes = search.file.read_up_to(section->header.sh_addr, 32 + kMaxVersionBytes);
    if (bytes.size() < 32 || memcmp(bytes.data(), "\xff Go buildinf:", 14) != 0) {
        return "";
    }
    if ((bytes[15] & 2) != 0) {
        size_t at = 32;
        const uint64_t length = read_varint(bytes, &at);
        if (length > kMaxVersionBytes || bytes.size() - at < length) {
            return "";
        }
        return std::string(bytes.begin() + static_cast<ptrdiff_t>(at),
                           bytes.begin() + static_cast<ptrdiff_t>(at + length));
    }
    // Before 1.18: the address of a string, which is an address and a length.
    Relocations relocations;
    relocations.read(search.file, search.limits, search.deadline);
    const auto pointer = relocations.words_at(search.file, section->header.sh_addr + 16, 1);
    const auto text = pointer.empty() ? std::vector<uint64_t>{}
                                      : relocations.words_at(search.file, pointer[0], 2);
    return text.size() == 2 && text[1] <= kMaxVersionBytes ? text_at(search.file, text[0], text[1])
                                                           : "";
}

// The minor version of "go1.26.8"; nothing for development builds.
std::optional<unsigned> minor_version(const std::string &version) {
    if (!version.starts_with("go1.")) {
        return std::nullopt;
    }
    unsigned minor = 0;
    size_t at = 4;
    for (; at < version.size() && at < 8 && version[at] >= '0' && version[at] <= '9'; at++) {
        minor = minor * 10 + static_cast<unsigned>(version[at] - '0');
    }
    return at == 4 ? std::nullopt : std::optional<unsigned>(minor);
}

using Found = std::array<GoFunction, kNames.size()>;

Found find_functions(const FunctionTable &table, const TableReader &reader) {
    Found found;
    for (uint64_t row = 0; row < table.function_count; row++) {
        const std::string_view name = reader.name(row);
        const auto *known = std::find(kNames.begin(), kNames.end(), name);
        if (known == kNames.end()) {
            continue;
        }
        GoFunction &function = found[static_cast<size_t>(known - kNames.begin())];
        function.is_ambiguous = function.is_found;
        function.is_found = true;
        function.start = reader.entry(row);
        function.end = reader.entry(row + 1);
    }
    return found;
}

#if defined(__x86_64__)
bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(),
                       [=](std::string_view one) { return name.starts_with(one); });
}

// What the runtime's functions do to their caller: https://go.dev/src/runtime/
CallEffect effect_of(std::string_view name) {
    if (starts_with_any(name, {"runtime.panic", "runtime.goPanic", "runtime.gopanic",
                               "runtime.throw", "runtime.fatal"})) {
        return CallEffect::never_returns;
    }
    // They have conventions of their own: the write barrier changes r11 at most, and these two fill
    // the caller's memory.
    if (name.starts_with("runtime.gcWriteBarrier")) {
        return CallEffect::keeps_registers;
    }
    return starts_with_any(name, {"runtime.duffzero", "runtime.duffcopy"})
               ? CallEffect::writes_frame
               : CallEffect::ordinary;
}

bool copies(std::string_view name) {
    return name == "runtime.memmove" || name == "bytes.(*Reader).Read";
}

// What Read does once it has copied: it looks at an alert that may be next, and unlocks. Indirect
// calls are those of its deferred functions.
bool may_follow_copying(const Instruction &instruction, std::string_view name) {
    return instruction.flow != Flow::call || !instruction.target ||
           (!copies(name) &&
            starts_with_any(name, {"crypto/tls.(*Conn).readRecord", "crypto/tls.(*Conn).Read.",
                                   "crypto/tls.(*halfConn)", "sync.", "internal/sync.",
                                   "runtime.panic", "runtime.goPanic", "runtime.gcWriteBarrier"}));
}

// Return instructions are single-stepped, so results are taken before them where they are known at
// one that is not.
void place_results(const CodeSearch &search, const std::vector<Instruction> &code,
                   const std::function<std::string_view(const Instruction &)> &called, bool is_read,
                   LocatedFunction *located) {
    ResultRules rules{
        .result_register = kRax,
        .entry = located->placement.address,
        // The others are the caller's: https://go.dev/src/cmd/compile/abi-internal.md
        .flow = {.kept = register_bit(kRsp) | register_bit(kRbp) | register_bit(kR14),
                 .effect = [&](const Instruction &call) { return effect_of(called(call)); }},
        .may_follow =
            [&](const Instruction &one) {
                return !is_read || may_follow_copying(one, called(one));
            },
        .must_precede = nullptr,
    };
    if (is_read) {
        rules.must_precede = [&](const Instruction &one) {
            return one.flow == Flow::call && copies(called(one));
        };
    }
    const ResultPlaces places = find_result_places(code, rules);
    size_t covered = 0;
    located->returns_why = places.reason;
    for (const ResultPlace &place : places.found) {
        auto known = known_place(search.file, place);
        if (!known) {
            located->returns_why = "the result is too far from the stack pointer";
            continue;
        }
        for (const uint64_t address : place.covered) {
            known->covers.push_back(search.file.offset_of(address).value_or(0));
            covered++;
        }
        located->results.push_back(*known);
    }
    if (!located->results.empty()) {
        located->returns_why =
            "return instructions are single-stepped; " + std::to_string(covered) + " of " +
            std::to_string(located->returns.size()) +
            " are reached only through emulated ones at which the result is known";
    }
}
#endif

struct Attempt {
    LocatedStack stack;
    std::string refusal;
};

Attempt place_functions(const CodeSearch &search, const FunctionTable &table,
                        const TableReader &reader, const Found &found, uint64_t text,
                        const std::string &version) {
    Attempt attempt;
    const auto minor = minor_version(version);
    // https://go.dev/src/cmd/compile/abi-internal.md: registers on amd64 since 1.17. The tables of
    // 1.18 and later are of such programs even where the version is not told.
    const bool has_registers = minor ? *minor >= 17 : table.is_relative();
    if (!minor && !table.is_relative()) {
        attempt.refusal = "it is a Go program with crypto/tls that does not tell its version, so "
                          "how it passes arguments is not known";
        return attempt;
    }
    attempt.stack = {
        .stack = kStack,
        .version = version,
        .located_by = "pclntab",
        .convention = has_registers ? "go-register" : "go-stack",
        .functions = {},
        .evidence = std::to_string(table.function_count) + " functions, table " + hex(table.magic),
    };
    // The connection, the buffer and its length; r14 is the goroutine.
    const RegisterMask arguments = has_registers ? register_bit(kRax) | register_bit(kRbx) |
                                                       register_bit(kRcx) | register_bit(kR14)
                                                 : register_bit(kRsp);
    for (size_t i = 0; i < kNames.size(); i++) {
        const GoFunction &function = found[i];
        const std::string name(kNames[i]);
        const bool is_needed = i < kNeededNames;
        if (!function.is_found || (!is_needed && function.is_ambiguous)) {
            continue;
        }
        const uint64_t start = text + function.start;
        const uint64_t end = text + function.end;
        const Segment *segment = search.file.code_segment_of(start);
        if (segment == nullptr || end <= start || end - start > segment->bytes ||
            !add_function(search.file, {name, name, start, end, {arguments, false}},
                          &attempt.stack)) {
            attempt.refusal = name + " is not where the function table says";
            return attempt;
        }
        LocatedFunction &located = attempt.stack.functions.back();
        // A goroutine's stack may move while a function runs, and a changed return address with it.
        located.placement.can_return_probe = false;
#if defined(__x86_64__)
        const auto code = decode_range(search.file, start, end);
        if (!is_needed && (code.empty() || code.back().end() != end)) {
            attempt.stack.functions.pop_back();
            continue;
        }
        if (code.empty() || code.back().end() != end) {
            attempt.refusal = name + " contains something that is no instruction";
            return attempt;
        }
        for (const Instruction &instruction : code) {
            if (instruction.flow == Flow::ret) {
                located.returns.push_back(segment->offset +
                                          (instruction.address - segment->address));
            }
        }
        if (located.returns.empty() && !is_needed) {
            attempt.stack.functions.pop_back();
            continue;
        }
        if (located.returns.empty()) {
            attempt.refusal = name + " has no return instruction";
            return attempt;
        }
        const auto called = [&](const Instruction &call) {
            return call.flow == Flow::call && call.target ? reader.name_at(*call.target - text)
                                                          : std::string_view{};
        };
        if (has_registers && i < kNamesWithBytes) {
            place_results(search, code, called, i == 0, &located);
        }
#endif
    }
    return attempt;
}

} // namespace

void locate_go(const CodeSearch &search, Locations *locations) {
    const std::vector<FunctionTable> tables = tables_in(search.file);
    if (tables.empty()) {
        if (search.file.section(".go.buildinfo") != nullptr) {
            locations->refused.push_back(
                {kStack, "it is a Go program whose function table is of an unknown form"});
        }
        return;
    }
    const auto refuse = [&](const std::string &reason) {
        locations->refused.push_back({kStack, reason});
    };
    const FunctionTable &table = tables.front();
    const TableReader reader(search.file, table);
    if (!reader.is_complete()) {
        refuse("it is a Go program whose function table is cut");
        return;
    }
    const Found found = find_functions(table, reader);
    const bool has_read = found[0].is_found;
    const bool has_write = found[1].is_found;
    if (!has_read && !has_write) {
        return;
    }
    if (!has_read || !has_write || found[0].is_ambiguous || found[1].is_ambiguous) {
        refuse("it is a Go program with crypto/tls, and exactly one Read and one Write of its Conn "
               "are needed");
        return;
    }
    std::vector<uint64_t> texts{0};
    if (table.is_relative()) {
        texts = text_candidates(search, table, static_cast<uint32_t>(reader.entry(0)));
    }
    if (texts.size() != 1) {
        refuse("it is a Go program with crypto/tls, and where its code begins is not clear: " +
               std::to_string(texts.size()) + " places fit");
        return;
    }
    Attempt attempt =
        place_functions(search, table, reader, found, texts[0], build_version(search));
    if (!attempt.refusal.empty()) {
        refuse(attempt.refusal);
        return;
    }
    locations->found.push_back(std::move(attempt.stack));
}

} // namespace sightline
