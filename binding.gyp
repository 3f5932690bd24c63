{
  "targets": [
    {
      "target_name": "sightline",
      "sources": [
        "native/addon.cpp",
        "native/abi.cpp",
        "native/bpf-agent.cpp",
        "native/bpf-log.cpp",
        "native/capture.cpp",
        "native/elf-symbols.cpp",
        "native/slab-reader.cpp",
        "native/symbols-binding.cpp"
      ],
      "include_dirs": [
        "<!@(node -p \"require('node-addon-api').include\")",
        ".output/bpf"
      ],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter"],
      "libraries": ["-lbpf", "-lelf", "-lz"]
    }
  ]
}
