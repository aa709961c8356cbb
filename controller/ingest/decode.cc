#include "controller/ingest/decode.h"

#include <utility>

#include "controller/ingest/batch_reader.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {

absl::StatusOr<model::Batch> DecodeBatch(const v1::Batch& batch, int64_t latest_ns) {
  BatchReader in(batch, latest_ns);
  model::Batch out;
  out.id.boot_epoch = batch.boot_epoch();
  out.id.sequence = batch.sequence();
  out.rule_version = batch.rule_version();
  out.first_ns = batch.first_time_ns();
  out.last_ns = in.Time(batch.last_time_ns(), "last_time_ns");
  if (out.id.boot_epoch == 0) in.Fail("boot_epoch is 0");
  if (out.id.sequence == 0) in.Fail("sequence is 0");
  DecodeSpans(in, batch.spans(), out.spans);
  DecodeEdges(in, batch.edges(), out.edges);
  DecodeProcesses(in, batch.processes(), out.processes);
  DecodeAddresses(in, batch.addresses(), out.addresses);
  DecodeLosses(in, batch.losses(), out.losses);
  DecodeSeries(in, batch.series(), out.series);
  DecodePoints(in, batch.points(), out.series, out.points);
  DecodeChunks(in, batch.chunks(), out.chunks);
  DecodeContents(in, batch.contents(), out.contents);
  if (!in.ok()) return in.status();
  return out;
}

}  // namespace kindling::controller
