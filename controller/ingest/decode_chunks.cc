#include <string>

#include "controller/ingest/decode.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"
#include "model/content_hash.h"

namespace kindling::controller {
namespace {

template <typename Column>
void Data(BatchReader& in, const Column& column, int row, std::string& out) {
  if (column.empty()) return;
  if (column.Get(row).size() > kMaxChunkBytes) return in.Fail("data is too long");
  out = column.Get(row);
}

}  // namespace

void DecodeChunks(BatchReader& in, const v1::ChunkColumns& c, std::vector<model::Chunk>& out) {
  const int rows = in.Rows(
      "chunks", {c.kind_size(), c.span_id_size(), c.first_time_delta_ns_size(),
                 c.duration_ns_size(), c.host_size(), c.pid_size(), c.tid_size(), c.data_size()});
  int64_t first_ns = in.first_ns();
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::Chunk& chunk = out.emplace_back();
    chunk.kind = in.Enum<model::ChunkKind>(At(c.kind(), i), "kind");
    if (chunk.kind == model::ChunkKind::kUnset) in.Fail("a chunk has no kind");
    chunk.span_id = At(c.span_id(), i);
    chunk.first_ns = in.Later(first_ns, At(c.first_time_delta_ns(), i), "first_time_delta_ns");
    chunk.last_ns = chunk.first_ns;
    in.Later(chunk.last_ns, in.Duration(At(c.duration_ns(), i), "duration_ns"), "duration_ns");
    in.Text(At(c.host(), i), chunk.host);
    chunk.pid = At(c.pid(), i);
    chunk.tid = At(c.tid(), i);
    Data(in, c.data(), i, chunk.bytes);
  }
}

void DecodeContents(BatchReader& in, const v1::ContentColumns& c,
                    std::vector<model::Content>& out) {
  const int rows = in.Rows(
      "contents", {c.hash_high_size(), c.hash_low_size(), c.time_delta_ns_size(), c.data_size()});
  int64_t time_ns = in.first_ns();
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::Content& content = out.emplace_back();
    content.hash = {At(c.hash_high(), i), At(c.hash_low(), i)};
    content.time_ns = in.Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    Data(in, c.data(), i, content.bytes);
    // Everyone's chunks find it by this.
    if (model::HashOf(content.bytes) != content.hash) in.Fail("hash is not that of data");
  }
}

}  // namespace kindling::controller
