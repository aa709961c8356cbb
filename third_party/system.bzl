"""Debian's system libraries as Bazel targets: @system//:<name>, link lines taken from pkg-config."""

# target name -> pkg-config packages. Headers are in /usr/include, which the toolchain searches anyway.
_LIBRARIES = {
    "abseil": [
        "absl_base",
        "absl_flat_hash_map",
        "absl_hash",
        "absl_status",
        "absl_statusor",
        "absl_str_format",
        "absl_strings",
        "absl_synchronization",
        "absl_time",
    ],
    "benchmark": ["benchmark"],
    "crypto": ["libcrypto"],
    "glog": ["libglog"],
    "gmock": ["gmock"],
    "grpc": ["grpc++", "protobuf"],
    "gtest": ["gtest"],
    "gtest_main": ["gtest_main"],
    "jemalloc": ["jemalloc"],
    "libbpf": ["libbpf"],
    "libmnl": ["libmnl"],
    "nftables": ["libnftables"],
    "pcap": ["libpcap"],
    "protobuf": ["protobuf"],
    "re2": ["re2"],
    "rocksdb": ["rocksdb"],
    "xxhash": ["libxxhash"],
    "yaml_cpp": ["yaml-cpp"],
    "zlib": ["zlib"],
    "zstd": ["libzstd"],
}

# Libraries that come without a pkg-config file.
_PLAIN = {
    "grpc_reflection": ["-lgrpc++_reflection"],
    "pthread": ["-lpthread"],
}

_TARGET = """
cc_library(
    name = "{name}",
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

def _unique(words):
    seen = {}
    for word in words:
        seen[word] = None
    return seen.keys()

def _system_libraries_impl(ctx):
    pkg_config = ctx.which("pkg-config")
    if not pkg_config:
        fail("pkg-config is missing: run ./dev setup")
    build = ""
    for name, packages in _LIBRARIES.items():
        result = ctx.execute([pkg_config, "--libs"] + packages)
        if result.return_code != 0:
            fail("%s: %s(run ./dev setup)" % (name, result.stderr))
        words = [w for w in result.stdout.strip().split(" ") if w.startswith("-l")]
        build += _TARGET.format(name = name, linkopts = _unique(words))
    for name, linkopts in _PLAIN.items():
        build += _TARGET.format(name = name, linkopts = linkopts)
    ctx.file("BUILD.bazel", build)

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    local = True,
    doc = "Writes one cc_library per system library; fails with the missing package's name.",
)
