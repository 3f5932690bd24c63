{
  "targets": [
    {
      "target_name": "sightline",
      "sources": [
        "native/addon.cpp",
        "native/abi.cpp",
        "native/attachment.cpp",
        "native/bpf-agent.cpp",
        "native/bpf-log.cpp",
        "native/capture.cpp",
        "native/elf-symbols.cpp",
        "native/file-users.cpp",
        "native/function-probes.cpp",
        "native/locators/boringssl-locator.cpp",
        "native/locators/byte-scan.cpp",
        "native/locators/code-search.cpp",
        "native/locators/elf-file.cpp",
        "native/locators/entry-places.cpp",
        "native/locators/function-starts.cpp",
        "native/locators/go-locator.cpp",
        "native/locators/instruction.cpp",
        "native/locators/jump-stubs.cpp",
        "native/locators/locate-binding.cpp",
        "native/locators/locate.cpp",
        "native/locators/openssl-internal.cpp",
        "native/locators/openssl-locator.cpp",
        "native/locators/place-cookie.cpp",
        "native/locators/placement.cpp",
        "native/locators/relocations.cpp",
        "native/locators/result-places.cpp",
        "native/locators/rustls-locator.cpp",
        "native/locators/symbol-locator.cpp",
        "native/locators/value-flow.cpp",
        "native/probe-links.cpp",
        "native/slab-reader.cpp",
        "native/stack-objects.cpp",
        "native/tracing-programs.cpp",
        "native/symbols-binding.cpp"
      ],
      "include_dirs": [
        "<!@(node -p \"require('node-addon-api').include\")",
        ".output/bpf"
      ],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter"],
      "libraries": ["-lbpf", "-lelf", "-lz"],
      "conditions": [["target_arch=='x64'", {"libraries": ["-lZydis"]}]]
    }
  ]
}
