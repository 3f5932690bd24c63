#include "rustls-locator.h"

#include <algorithm>
#include <cctype>

namespace sightline {
namespace {

const char *const kStack = "rustls";
const char *const kLayerName = "RecordLayer::encrypt_outgoing";

constexpr uint64_t kMaxPathBytes = 300;
constexpr size_t kMaxPlaces = 4096;
// Functions with places of the record layer: it has one that encrypts, and one that decrypts.
constexpr size_t kMaxSenders = 4;
// Of each kind; two providers have seven.
constexpr size_t kMaxMethods = 32;
// Drop, size, alignment, a method; then perhaps another one, and the same of the next table.
constexpr size_t kTableWords = 8;
constexpr uint64_t kMaxObjectBytes = 4096;
constexpr uint64_t kMaxAlignment = 64;
// A cipher holds its key; what holds none refuses everything.
constexpr uint64_t kMinCipherBytes = 16;
// The most plaintext of one record, https://datatracker.ietf.org/doc/html/rfc8446#section-5.1, to
// which every decrypter compares what it made; with the type of TLS 1.3, and as the bound above.
constexpr int64_t kMaxPlaintext = 1 << 14;
constexpr int64_t kMaxPlaintextBound = kMaxPlaintext + 2;
// A sum of a length and a constant, with a frame around it at most.
constexpr size_t kMaxSumInstructions = 8;

constexpr RegisterMask kTwoArguments = register_bit(kRdi) | register_bit(kRsi);
constexpr RegisterMask kMethodArguments = kTwoArguments | register_bit(kRdx) | register_bit(kRcx);

// A source file's path in the constants: Rust's strings have no end mark, so only this is known.
struct SourceFile {
    KnownText text;
    // Behind its last character.
    uint64_t end;
};

bool is_of_rustls(const std::string &before, KnownText text) {
    // The folder with the version, as in rustls-0.23.40, or the crate's own in a checkout.
    const size_t crate = before.rfind("/rustls");
    if (crate == std::string::npos) {
        return false;
    }
    const std::string rest = before.substr(crate + 1);
    const size_t slash = rest.find('/');
    if (text == KnownText::rustls_tls12 || text == KnownText::rustls_tls13) {
        // Providers are folders of the crate, or crates of their own.
        return slash != std::string::npos && rest.compare(slash, 4, "/src") == 0;
    }
    return slash == std::string::npos;
}

std::string version_in(const std::string &before) {
    const size_t at = before.rfind("/rustls-");
    if (at == std::string::npos) {
        return "";
    }
    const std::string rest = before.substr(at + 8);
    const std::string version = rest.substr(0, rest.find('/'));
    return !version.empty() && std::isdigit(static_cast<unsigned char>(version[0])) ? version : "";
}

std::vector<SourceFile> source_files(const CodeSearch &search, std::set<std::string> *versions) {
    std::vector<SourceFile> files;
    for (const TextHit &hit : search.hits) {
        const auto text = static_cast<KnownText>(hit.text);
        if (text < KnownText::rustls_record_layer || text > KnownText::rustls_cipher) {
            continue;
        }
        const Segment *segment = search.file.segment_of(hit.address);
        const uint64_t before_bytes =
            std::min<uint64_t>(64, segment == nullptr ? 0 : hit.address - segment->address);
        const auto bytes = search.file.read_up_to(hit.address - before_bytes, before_bytes);
        const std::string before(bytes.begin(), bytes.end());
        if (!is_of_rustls(before, text)) {
            continue;
        }
        const std::string version = version_in(before);
        if (!version.empty()) {
            versions->insert(version);
        }
        files.push_back({text, hit.address + known_texts()[hit.text].size()});
    }
    return files;
}

// std::panic::Location: where the path is, how long it is, line and column.
ScanEnd find_panic_places(const CodeSearch &search, const std::vector<SourceFile> &files,
                          std::map<uint64_t, KnownText> *places) {
    std::vector<AddressRange> ranges;
    for (const SourceFile &file : files) {
        ranges.push_back({file.end - std::min(kMaxPathBytes, file.end), file.end});
    }
    ranges = joined(std::move(ranges));
    std::vector<DataWord> pointers;
    const ScanEnd end = find_words(search.file, ranges, search.limits, search.deadline, &pointers);
    if (end != ScanEnd::complete) {
        return end;
    }
    for (const DataWord &entry : search.relocations.entries()) {
        if (is_in_ranges(ranges, entry.value)) {
            pointers.push_back(entry);
        }
    }
    for (const DataWord &pointer : pointers) {
        const auto bytes = search.file.value_at<uint64_t>(pointer.at + 8);
        if (!bytes || *bytes == 0 || *bytes > kMaxPathBytes) {
            continue;
        }
        for (const SourceFile &file : files) {
            // Newer compilers count the NUL that they put behind the path.
            if (pointer.value + *bytes == file.end || pointer.value + *bytes == file.end + 1) {
                places->emplace(pointer.at, file.text);
                break;
            }
        }
        if (places->size() > kMaxPlaces) {
            return ScanEnd::limit;
        }
    }
    return ScanEnd::complete;
}

bool is_sum_of_second_argument(const ElfFile &file, uint64_t function) {
    const auto code = decode_function(file, {function, 0});
    if (code.empty() || code.size() > kMaxSumInstructions || code.back().flow != Flow::ret) {
        return false;
    }
    bool reads_argument = false;
    bool makes_result = false;
    for (const Instruction &instruction : code) {
        if (instruction.flow == Flow::call || instruction.flow == Flow::jump) {
            return false;
        }
        reads_argument = reads_argument || instruction.reads_register(kRsi);
        makes_result = makes_result || instruction.writes_register(kRax);
    }
    return reads_argument && makes_result;
}

bool compares_to_bound(const std::vector<Instruction> &code) {
    return std::any_of(code.begin(), code.end(), [](const Instruction &instruction) {
        return instruction.compared && *instruction.compared >= kMaxPlaintext &&
               *instruction.compared <= kMaxPlaintextBound;
    });
}

// Itself, or in a function that it calls directly.
bool bounds_plaintext(const ElfFile &file, const std::vector<Instruction> &code) {
    return compares_to_bound(code) ||
           std::any_of(code.begin(), code.end(), [&](const Instruction &instruction) {
               const bool leaves = instruction.flow == Flow::call || instruction.flow == Flow::jump;
               return leaves && instruction.target &&
                      compares_to_bound(decode_function(file, {*instruction.target, 0}));
           });
}

bool is_object(uint64_t bytes, uint64_t alignment) {
    return bytes <= kMaxObjectBytes && alignment != 0 && alignment <= kMaxAlignment &&
           (alignment & (alignment - 1)) == 0;
}

struct Methods {
    std::set<uint64_t> encrypters;
    std::set<uint64_t> decrypters;
};

// The tables of methods that the functions which make ciphers put into their results.
Methods cipher_methods(const CodeSearch &search, const std::vector<const AddressUser *> &makers) {
    Methods methods;
    std::set<uint64_t> tables;
    for (const AddressUser *maker : makers) {
        for (const Instruction &instruction : maker->code) {
            std::optional<uint64_t> target;
            if (instruction.address_use) {
                target = instruction.address_use->second;
            } else if (search.file.is_fixed() && instruction.constant) {
                target = static_cast<uint32_t>(instruction.constant->second);
            }
            const Segment *segment = target ? search.file.segment_of(*target) : nullptr;
            // Beside the code where the program is never moved and the linker has put it there.
            if (segment != nullptr && *target % 8 == 0 &&
                (segment->is_writable || search.file.is_fixed())) {
                tables.insert(*target);
            }
        }
    }
    const auto is_function = [&](uint64_t address) {
        return search.file.code_segment_of(address) != nullptr && search.starts.is_start(address);
    };
    for (const uint64_t table : tables) {
        auto words = search.relocations.words_at(search.file, table, kTableWords);
        words.resize(kTableWords);
        if (!is_object(words[1], words[2]) || words[1] < kMinCipherBytes ||
            (words[0] != 0 && !is_function(words[0])) || !is_function(words[3])) {
            continue;
        }
        const auto code = decode_function(search.file, {words[3], 0});
        if ((live_registers(code) & kMethodArguments) != kMethodArguments) {
            continue;
        }
        const bool has_second = is_function(words[4]);
        // What follows a table with one method may be the next one, which may begin with a
        // function.
        const bool is_next_table =
            words[5] != 0 && is_object(words[5], words[6]) && is_function(words[7]);
        if (has_second && is_sum_of_second_argument(search.file, words[4])) {
            methods.encrypters.insert(words[3]);
        } else if ((!has_second || is_next_table) && bounds_plaintext(search.file, code)) {
            methods.decrypters.insert(words[3]);
        }
    }
    return methods;
}

std::string describe(const std::vector<const AddressUser *> &users) {
    std::string text;
    for (const AddressUser *user : users) {
        text += (text.empty() ? "" : ", ") + hex(user->range.start);
    }
    return text.empty() ? "none" : text;
}

} // namespace

const char *RustlsLocator::stack() const {
    return kStack;
}

ScanEnd RustlsLocator::collect(const CodeSearch &search, std::vector<uint64_t> *addresses) {
    const std::vector<SourceFile> files = source_files(search, &versions_);
    const bool has_record_layer = std::any_of(files.begin(), files.end(), [](const auto &file) {
        return file.text == KnownText::rustls_record_layer;
    });
    if (!has_record_layer) {
        return ScanEnd::complete;
    }
    const ScanEnd end = find_panic_places(search, files, &places_);
    for (const auto &[address, text] : places_) {
        addresses->push_back(address);
    }
    return end;
}

void RustlsLocator::settle(const CodeSearch &search, Locations *locations) {
    const auto refuse = [&](const std::string &reason) {
        locations->refused.push_back({kStack, reason});
    };
    std::vector<uint64_t> addresses;
    for (const auto &[address, text] : places_) {
        addresses.push_back(address);
    }
    const std::vector<AddressUser> users = users_of(search, addresses);
    std::vector<const AddressUser *> fragmenters;
    std::vector<const AddressUser *> layers;
    std::vector<const AddressUser *> makers;
    for (const AddressUser &user : users) {
        std::set<KnownText> used;
        for (const auto &[index, address] : user.uses) {
            used.insert(places_.at(address));
        }
        if (used.contains(KnownText::rustls_record_layer) &&
            (live_registers(user.code) & kTwoArguments) == kTwoArguments) {
            layers.push_back(&user);
            if (used.contains(KnownText::rustls_fragmenter)) {
                fragmenters.push_back(&user);
            }
        }
        if (used.contains(KnownText::rustls_tls12) || used.contains(KnownText::rustls_tls13) ||
            used.contains(KnownText::rustls_cipher)) {
            makers.push_back(&user);
        }
    }
    const Methods methods = cipher_methods(search, makers);
    const std::string seen = std::to_string(places_.size()) + " places in " +
                             std::to_string(users.size()) + " functions";
    const std::string found = std::to_string(methods.decrypters.size()) + " decrypt, " +
                              std::to_string(methods.encrypters.size()) +
                              " encrypt, and what cuts data into records is " +
                              describe(fragmenters);
    // Every cipher has one of each.
    if (methods.decrypters.empty() || methods.decrypters.size() != methods.encrypters.size() ||
        methods.decrypters.size() > kMaxMethods || fragmenters.size() > 1) {
        refuse("it contains rustls, and as many functions must decrypt as encrypt, and at most one "
               "cut data into records: found " +
               found + "; searched " + seen);
        return;
    }
    LocatedStack stack{
        .stack = kStack,
        .version = versions_.size() == 1 ? *versions_.begin() : "",
        .located_by = "panic-locations",
        .convention = "rust",
        .functions = {},
        .evidence = found + "; " + seen,
    };
    bool is_placed = true;
    // It takes what the program writes in one piece, but only newer versions can be told by it.
    if (fragmenters.size() == 1) {
        const FunctionRange &range = fragmenters[0]->range;
        const char *name = "CommonState::send_appdata_encrypt";
        is_placed = add_function(search.file,
                                 {name,
                                  name,
                                  range.start,
                                  range.has_unwind_entry ? range.end : 0,
                                  {kTwoArguments, false}},
                                 &stack);
    }
    // Where that cannot be told, what encrypts for it has the ciphers at hand, too: it is one of
    // those with places of the record layer, all of which are called with it.
    for (size_t i = 0; fragmenters.empty() && i < layers.size() && i < kMaxSenders; i++) {
        const FunctionRange &range = layers[i]->range;
        is_placed = add_function(search.file,
                                 {std::string(kLayerName) + "#" + std::to_string(i + 1),
                                  kLayerName,
                                  range.start,
                                  range.has_unwind_entry ? range.end : 0,
                                  {kTwoArguments, false}},
                                 &stack) &&
                    is_placed;
    }
    const auto add_methods = [&](const std::set<uint64_t> &addresses_of, const std::string &name,
                                 bool wants_return) {
        size_t number = 0;
        for (const uint64_t address : addresses_of) {
            number++;
            is_placed = add_function(search.file,
                                     {name + "#" + std::to_string(number),
                                      name,
                                      address,
                                      0,
                                      {kMethodArguments, wants_return}},
                                     &stack) &&
                        is_placed;
        }
    };
    add_methods(methods.decrypters, "MessageDecrypter::decrypt", true);
    add_methods(methods.encrypters, "MessageEncrypter::encrypt", false);
    if (!is_placed) {
        refuse("what looks like the functions of rustls begins with something that is no code");
        return;
    }
    locations->found.push_back(std::move(stack));
}

} // namespace sightline
