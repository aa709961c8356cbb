"""BPF objects and their skeletons."""

def kd_bpf_skeleton(name, src, hdrs, visibility = None):
    """cc_library `name` with <stem>.skel.h, from one BPF C file.

    Needs no kernel and no BTF of the build host: kernel types are declared in bpf/kernel/ with
    preserve_access_index.

    Args:
      src: <stem>.bpf.c
      hdrs: every header it may include.
    """
    stem = src[:-len(".bpf.c")]
    native.genrule(
        name = name + "_obj",
        srcs = [src] + hdrs,
        outs = [stem + ".bpf.o"],
        cmd = " ".join([
            "clang -target bpf -mcpu=v3 -O2 -g -std=gnu11 -I.",
            "-idirafter /usr/include/$$(uname -m)-linux-gnu",
            "-Wall -Wextra -Werror -Wno-unused-parameter",
            "-D__TARGET_ARCH_x86",
            "-fdebug-prefix-map=$$PWD=.",
            "-c $(location %s) -o $@.tmp && llvm-strip -g $@.tmp -o $@ && rm $@.tmp" % src,
        ]),
        message = "Compiling BPF",
    )
    native.genrule(
        name = name + "_skel",
        srcs = [stem + ".bpf.o"],
        outs = [stem + ".skel.h"],
        cmd = "/usr/sbin/bpftool gen skeleton $< name %s_bpf > $@" % stem,
        message = "Generating the skeleton of",
    )
    native.cc_library(
        name = name,
        hdrs = [stem + ".skel.h"],
        deps = ["@system//:libbpf"],
        visibility = visibility,
    )
