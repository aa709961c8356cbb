"""Protobuf and gRPC C++ code from Debian's protoc."""

def kd_proto_library(name, srcs, deps = [], proto_deps = [], grpc = False, visibility = None):
    """cc_library `name` from `srcs`; include paths are the workspace's (api/ is the import root).

    Args:
      srcs: .proto files below api/.
      deps: cc targets made by this macro.
      proto_deps: .proto file labels imported by srcs.
      grpc: also generate services.
    """
    headers = []
    sources = []
    command = "protoc -Iapi --cpp_out=$(RULEDIR)/IMPORT_UP "
    gen_srcs = srcs + proto_deps
    outs = []
    for src in srcs:
        stem = src[:-len(".proto")]
        headers.append(stem + ".pb.h")
        sources.append(stem + ".pb.cc")
        if grpc:
            headers.append(stem + ".grpc.pb.h")
            sources.append(stem + ".grpc.pb.cc")
    outs = headers + sources
    root = "$(GENDIR)/api"
    command = "protoc -Iapi --cpp_out=" + root
    if grpc:
        command += " --grpc_out=" + root + " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin"
    command += "".join([" $(location %s)" % s for s in srcs])
    native.genrule(
        name = name + "_gen",
        srcs = gen_srcs,
        outs = outs,
        cmd = command,
        message = "Generating C++ for",
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        # Messages are included as "kindling/v1/x.pb.h".
        includes = ["/".join([".."] * len(native.package_name().split("/")[1:])) or "."],
        copts = ["-w"],
        deps = deps + (["@system//:grpc"] if grpc else ["@system//:protobuf"]),
        visibility = visibility,
    )
