#include "rustls-locator.h"

#include "relocations.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

namespace sightline {
namespace {

const char *const kStack = "rustls";

constexpr uint64_t kMaxPathBytes = 300;
constexpr size_t kMaxPlaces = 4096;
constexpr size_t kMaxMethods = 64;
// Drop, size, alignment, up to two methods.
constexpr size_t kTableWords = 5;
// A sum of a length and a constant, with a frame around it at most.
constexpr size_t kMaxSumInstructions = 8;

constexpr RegisterMask kMethodArguments =
    register_bit(kRdi) | register_bit(kRsi) | register_bit(kRdx) | register_bit(kRcx);

// A source file's path in the constants: Rust's strings have no end mark, so only this is known.
struct SourceFile {
    KnownText text;
    // Behind its last character.
    uint64_t end;
};

// std::panic::Location: where the path is, how long it is, line and column.
struct PanicPlace {
    uint64_t address;
    KnownText text;
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

ScanEnd panic_places(const CodeSearch &search, const Relocations &relocations,
                     const std::vector<SourceFile> &files, std::vector<PanicPlace> *places) {
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
    for (const DataWord &entry : relocations.entries()) {
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
                places->push_back({pointer.at, file.text});
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

struct Methods {
    std::set<uint64_t> encrypters;
    std::set<uint64_t> decrypters;
};

// The tables of methods that the functions which make ciphers put into their results.
Methods cipher_methods(const CodeSearch &search, const Relocations &relocations,
                       const FunctionStarts &starts,
                       const std::vector<const AddressUser *> &makers) {
    Methods methods;
    std::set<uint64_t> tables;
    for (const AddressUser *maker : makers) {
        for (const Instruction &instruction : maker->code) {
            const auto target = instruction.address_use;
            const Segment *segment = target ? search.file.segment_of(target->second) : nullptr;
            if (segment != nullptr && !segment->is_code && target->second % 8 == 0 &&
                (segment->is_writable || search.file.is_fixed())) {
                tables.insert(target->second);
            }
        }
    }
    const auto is_function = [&](uint64_t address) {
        return search.file.code_segment_of(address) != nullptr && starts.is_start(address);
    };
    for (const uint64_t table : tables) {
        const auto words = relocations.words_at(search.file, table, kTableWords);
        if (words.size() < kTableWords - 1 || words[1] == 0 || words[1] > 4096 || words[2] == 0 ||
            words[2] > 64 || (words[2] & (words[2] - 1)) != 0 ||
            (words[0] != 0 && !is_function(words[0])) || !is_function(words[3])) {
            continue;
        }
        const RegisterMask live = live_registers(decode_function(search.file, {words[3], 0}));
        if ((live & kMethodArguments) != kMethodArguments) {
            continue;
        }
        // What follows a table with one method may be the next one, which may begin with a
        // function.
        const bool has_second = words.size() == kTableWords && is_function(words[4]) &&
                                is_sum_of_second_argument(search.file, words[4]);
        (has_second ? methods.encrypters : methods.decrypters).insert(words[3]);
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

void locate_rustls(const CodeSearch &search, Locations *locations) {
    std::set<std::string> versions;
    const std::vector<SourceFile> files = source_files(search, &versions);
    const bool has_record_layer = std::any_of(files.begin(), files.end(), [](const auto &file) {
        return file.text == KnownText::rustls_record_layer;
    });
    if (!has_record_layer) {
        return;
    }
    const auto refuse = [&](const std::string &reason) {
        locations->refused.push_back({kStack, reason});
    };
    Relocations relocations;
    std::vector<PanicPlace> places;
    FunctionStarts starts(search.file);
    std::vector<AddressUser> users;
    ScanEnd end = relocations.read(search.file, search.limits, search.deadline);
    if (end == ScanEnd::complete) {
        end = panic_places(search, relocations, files, &places);
    }
    std::map<uint64_t, KnownText> text_of_place;
    std::vector<uint64_t> addresses;
    for (const PanicPlace &place : places) {
        text_of_place.emplace(place.address, place.text);
        addresses.push_back(place.address);
    }
    if (end == ScanEnd::complete) {
        std::vector<uint64_t> code_pointers;
        for (const DataWord &entry : relocations.entries()) {
            if (search.file.code_segment_of(entry.value) != nullptr) {
                code_pointers.push_back(entry.value);
            }
        }
        end = find_users(search, addresses, code_pointers, &starts, &users);
    }
    if (end != ScanEnd::complete) {
        refuse(std::string("it contains rustls, but ") + text_of(end));
        return;
    }
    std::vector<const AddressUser *> fragmenters;
    std::vector<const AddressUser *> makers;
    for (const AddressUser &user : users) {
        std::set<KnownText> used;
        for (const auto &[index, address] : user.uses) {
            used.insert(text_of_place.at(address));
        }
        if (used.contains(KnownText::rustls_record_layer) &&
            used.contains(KnownText::rustls_fragmenter)) {
            fragmenters.push_back(&user);
        }
        if (used.contains(KnownText::rustls_tls12) || used.contains(KnownText::rustls_tls13) ||
            used.contains(KnownText::rustls_cipher)) {
            makers.push_back(&user);
        }
    }
    const Methods methods = cipher_methods(search, relocations, starts, makers);
    const std::string seen =
        std::to_string(places.size()) + " places in " + std::to_string(users.size()) + " functions";
    if (fragmenters.size() != 1 || methods.decrypters.empty() ||
        methods.decrypters.size() + methods.encrypters.size() > kMaxMethods) {
        refuse("it contains rustls, and exactly one function must cut data into records: found " +
               describe(fragmenters) + "; found " + std::to_string(methods.decrypters.size()) +
               " decrypters and " + std::to_string(methods.encrypters.size()) +
               " encrypters; searched " + seen);
        return;
    }
    LocatedStack stack{
        .stack = kStack,
        .version = versions.size() == 1 ? *versions.begin() : "",
        .located_by = "panic-locations",
        .convention = "rust",
        .functions = {},
        .evidence = "one function cuts data into records, " +
                    std::to_string(methods.decrypters.size()) + " decrypt and " +
                    std::to_string(methods.encrypters.size()) + " encrypt; " + seen,
    };
    const FunctionRange &fragmenter = fragmenters[0]->range;
    bool is_placed = add_function(search.file,
                                  {"CommonState::send_appdata_encrypt",
                                   "CommonState::send_appdata_encrypt",
                                   fragmenter.start,
                                   fragmenter.has_unwind_entry ? fragmenter.end : 0,
                                   {register_bit(kRdi) | register_bit(kRsi), false}},
                                  &stack);
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
