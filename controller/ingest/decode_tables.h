#pragma once

#include <vector>

#include "controller/ingest/batch_reader.h"
#include "model/records.h"

namespace kindling::v1 {
class AddressColumns;
class ChunkColumns;
class ContentColumns;
class EdgeColumns;
class LossColumns;
class PointColumns;
class ProcessColumns;
class SeriesColumns;
class SpanColumns;
}  // namespace kindling::v1

// The tables of a batch, one function each. A fault stays in the reader; what was decoded up to it
// is worth nothing.
namespace kindling::controller {

void DecodeSpans(BatchReader& in, const v1::SpanColumns& c, std::vector<model::Span>& out);
void DecodeEdges(BatchReader& in, const v1::EdgeColumns& c, std::vector<model::EdgeStats>& out);
void DecodeProcesses(BatchReader& in, const v1::ProcessColumns& c,
                     std::vector<model::ProcessEvent>& out);
void DecodeAddresses(BatchReader& in, const v1::AddressColumns& c,
                     std::vector<model::AddressBinding>& out);
void DecodeLosses(BatchReader& in, const v1::LossColumns& c, std::vector<model::Loss>& out);
void DecodeSeries(BatchReader& in, const v1::SeriesColumns& c,
                  std::vector<model::MetricSeries>& out);
// `series` are those of the same batch.
void DecodePoints(BatchReader& in, const v1::PointColumns& c,
                  const std::vector<model::MetricSeries>& series,
                  std::vector<model::MetricPoint>& out);
void DecodeChunks(BatchReader& in, const v1::ChunkColumns& c, std::vector<model::Chunk>& out);
void DecodeContents(BatchReader& in, const v1::ContentColumns& c, std::vector<model::Content>& out);

}  // namespace kindling::controller
