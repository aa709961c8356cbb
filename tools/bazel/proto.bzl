"""Protobuf and gRPC C++ code from Debian's protoc."""

def kd_proto_library(name, srcs, deps = [], imports = [], grpc = False, visibility = None):
    """cc_library `name` from .proto files of package //api; included as "kindling/v1/x.pb.h".

    Args:
      name: the library.
      srcs: .proto files below api/.
      deps: libraries made by this macro whose files srcs import.
      imports: those .proto files.
      grpc: also generate services.
      visibility: of the library.
    """
    suffixes = [".pb"] + ([".grpc.pb"] if grpc else [])
    stems = [src[:-len(".proto")] for src in srcs]
    headers = [stem + suffix + ".h" for stem in stems for suffix in suffixes]
    sources = [stem + suffix + ".cc" for stem in stems for suffix in suffixes]
    command = "protoc -Iapi --cpp_out=$(RULEDIR)"
    if grpc:
        command += " --grpc_out=$(RULEDIR) --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin"
    native.genrule(
        name = name + "_gen",
        srcs = srcs + imports,
        outs = headers + sources,
        cmd = command + "".join([" $(location %s)" % src for src in srcs]),
        message = "Generating C++ for",
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        includes = ["."],
        copts = ["-w", "-O1"],
        deps = deps + ["@system//:grpc" if grpc else "@system//:protobuf"],
        visibility = visibility,
    )
