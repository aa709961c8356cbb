#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "agent/protocols/http1/codec.h"

namespace {

// Whatever comes, what goes out is bounded.
class CheckingSink : public kindling::agent::RecordSink {
 public:
  void OnRecord(const kindling::agent::Record& record) override {
    if (record.endpoint.empty() || record.endpoint.size() > 200) std::abort();
    for (const auto& [name, value] : record.attributes) {
      if (name.empty() || value.size() > 256) std::abort();
    }
    if (record.response_end_ns != 0 && record.response_end_ns < record.response_start_ns) {
      std::abort();
    }
    if (record.request_end_ns < record.request_start_ns) std::abort();
  }
  void OnUnparsed(uint64_t, uint64_t) override {}
};

}  // namespace

// The input is a list of segments: a byte of flags, a byte of size, and so many bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::agent;
  const std::unique_ptr<ProtocolCodec> codec = http1::MakeCodec(kindling::model::Transport::kTcp);
  CheckingSink sink;
  int64_t now_ns = 1;
  while (size >= 2) {
    const uint8_t flags = data[0];
    const size_t length = std::min<size_t>(data[1], size - 2);
    const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data + 2),
                                       reinterpret_cast<const std::byte*>(data + 2 + length));
    data += 2 + length;
    size -= 2 + length;
    const Flow flow = (flags & 1) != 0 ? Flow::kResponse : Flow::kRequest;
    ++now_ns;
    if ((flags & 6) == 6) {
      codec->OnGap(flow, flags >> 3, sink);
    } else if ((flags & 6) == 4) {
      codec->OnTick(now_ns += 5, flags >> 3, sink);
    }
    codec->Feed(flow,
                {.bytes = bytes,
                 .unseen_bytes = (flags & 6) == 2 ? uint32_t{flags} : 0,
                 .boot_ns = now_ns,
                 .tcp_seq = static_cast<uint32_t>(now_ns),
                 .tid = 1},
                sink);
  }
  codec->OnClose(now_ns, sink);
  if (codec->has_open_request()) std::abort();
  return 0;
}
