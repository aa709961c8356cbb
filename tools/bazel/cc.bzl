"""C++ targets of this repository: one place for warnings, so that no target can differ."""

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-sign-compare",
    "-Wno-missing-field-initializers",
]

# Kernel tests call bpf(), which the sandbox's user namespace refuses.
_BPF_TAGS = ["requires_bpf", "no-sandbox", "local", "exclusive"]

def kd_cc_library(name, copts = [], **kwargs):
    native.cc_library(name = name, copts = _COPTS + copts, **kwargs)

# Debian's abseil hides its mutexes from ThreadSanitizer.
_SANITIZER_DEPS = select({
    "//tools/bazel:tsan": ["//third_party/abseil_tsan"],
    "//conditions:default": [],
})

def kd_cc_binary(name, copts = [], deps = [], **kwargs):
    native.cc_binary(
        name = name,
        copts = _COPTS + copts,
        deps = deps + _SANITIZER_DEPS,
        linkstatic = True,
        **kwargs
    )

def kd_cc_test(name, copts = [], deps = [], tags = [], size = "small", **kwargs):
    """A hermetic GoogleTest; main() comes from gtest_main."""
    native.cc_test(
        name = name,
        copts = _COPTS + copts,
        deps = deps + ["@system//:gtest_main", "@system//:gmock", "@system//:gtest", "@system//:pthread"] + _SANITIZER_DEPS,
        linkstatic = True,
        size = size,
        tags = tags,
        **kwargs
    )

def kd_bpf_test(name, tags = [], size = "medium", **kwargs):
    """A GoogleTest that needs root and BPF: runs outside the sandbox, one at a time, and fails where it cannot run."""
    kd_cc_test(name = name, tags = _BPF_TAGS + tags, size = size, **kwargs)

def kd_fuzz_test(name, srcs, deps = [], corpus = [], **kwargs):
    """A libFuzzer target. As an ordinary test it replays its corpus; with --config=fuzz it is the fuzzer itself."""
    native.cc_test(
        name = name,
        srcs = srcs,
        copts = _COPTS,
        deps = deps + select({
            "//tools/bazel:fuzzing": [],
            "//conditions:default": ["//base/testing:corpus_main"],
        }),
        linkopts = select({
            "//tools/bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        args = select({
            "//tools/bazel:fuzzing": [],
            "//conditions:default": ["$(rootpath %s)" % f for f in corpus],
        }),
        data = corpus,
        linkstatic = True,
        size = "small",
        tags = ["fuzz"],
        **kwargs
    )
