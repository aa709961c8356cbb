#include "agent/export/split.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace kindling::agent {
namespace {

// The fixed columns of a row at their largest usual size.
constexpr size_t kRowBytes = 160;

size_t BytesOf(const model::Party& p) {
  return 16 + p.workload.size() + p.workload_kind.size() + p.host.size() + p.address.size() +
         p.dns_name.size();
}
size_t BytesOf(const model::Span& s) {
  size_t bytes =
      kRowBytes + BytesOf(s.client) + BytesOf(s.server) + s.endpoint.size() + s.status_code.size();
  for (const auto& [key, value] : s.attributes) bytes += 8 + key.size() + value.size();
  return bytes;
}
size_t BytesOf(const model::EdgeStats& e) {
  return kRowBytes + BytesOf(e.client) + BytesOf(e.server) + e.endpoint.size() +
         e.status_code.size() + 3 * e.latency.counts().size();
}
size_t BytesOf(const model::ProcessEvent& p) {
  return kRowBytes + p.host.size() + p.workload.size() + p.workload_kind.size() +
         p.executable.size() + p.command.size();
}
size_t BytesOf(const model::AddressBinding& a) {
  return kRowBytes + a.address.size() + a.workload.size() + a.workload_kind.size() + a.host.size();
}
size_t BytesOf(const model::MetricSeries& s) {
  size_t bytes = 16 + s.name.size();
  for (const auto& [name, value] : s.labels) bytes += 8 + name.size() + value.size();
  return bytes;
}
size_t BytesOf(const model::MetricPoint& p) { return 32 + 3 * p.histogram.counts().size(); }
size_t BytesOf(const model::Chunk& c) { return 64 + c.host.size() + c.bytes.size(); }
size_t BytesOf(const model::Content& c) { return 32 + c.bytes.size(); }
size_t BytesOf(const model::Loss& l) { return kRowBytes + l.host.size() + l.workload.size(); }

template <typename Rows>
size_t SumOf(const Rows& rows) {
  size_t bytes = 0;
  for (const auto& row : rows) bytes += BytesOf(row);
  return bytes;
}

// Deals records out to pieces of limited size.
class Dealer {
 public:
  Dealer(const model::Batch& like, size_t max_bytes) : max_bytes_(max_bytes) {
    empty_.id = like.id;
    empty_.tenant = like.tenant;
    empty_.cluster = like.cluster;
    empty_.rule_version = like.rule_version;
    empty_.first_ns = like.first_ns;
    empty_.last_ns = like.last_ns;
  }

  template <typename Row>
  void Deal(std::vector<Row>& rows, std::vector<Row> model::Batch::*member) {
    for (Row& row : rows) {
      MakeRoom(BytesOf(row));
      (pieces_.back().*member).push_back(std::move(row));
    }
    rows.clear();
  }

  // Points with their series, which each piece numbers anew.
  void DealPoints(std::vector<model::MetricSeries>& series,
                  std::vector<model::MetricPoint>& points) {
    constexpr uint32_t kNone = UINT32_MAX;
    std::vector<uint32_t> numbers(series.size(), kNone);  // in the last piece
    for (model::MetricPoint& point : points) {
      uint32_t& number = numbers[point.series];
      const size_t series_bytes = BytesOf(series[point.series]);
      const bool is_new = number == kNone;
      if (MakeRoom(BytesOf(point) + (is_new ? series_bytes : 0))) {
        std::fill(numbers.begin(), numbers.end(), kNone);
      }
      model::Batch& piece = pieces_.back();
      if (number == kNone) {
        if (!is_new) used_ += series_bytes;
        number = static_cast<uint32_t>(piece.series.size());
        piece.series.push_back(series[point.series]);
      }
      point.series = number;
      piece.points.push_back(std::move(point));
    }
    points.clear();
    series.clear();
  }

  std::vector<model::Batch> Take() { return std::move(pieces_); }

 private:
  // Makes the last piece one that `bytes` more fit into. True: it is a new one.
  bool MakeRoom(size_t bytes) {
    const bool is_new = pieces_.empty() || (used_ > 0 && used_ + bytes > max_bytes_);
    if (is_new) {
      pieces_.push_back(empty_);
      used_ = 0;
    }
    used_ += bytes;
    return is_new;
  }

  const size_t max_bytes_;
  model::Batch empty_;
  std::vector<model::Batch> pieces_;
  size_t used_ = 0;
};

}  // namespace

size_t ApproximateBytes(const model::Batch& batch) {
  return SumOf(batch.spans) + SumOf(batch.edges) + SumOf(batch.processes) + SumOf(batch.addresses) +
         SumOf(batch.losses) + SumOf(batch.series) + SumOf(batch.points) + SumOf(batch.chunks) +
         SumOf(batch.contents);
}

std::vector<model::Batch> TakeLane(model::Batch& batch, SpoolLane lane, size_t max_bytes) {
  Dealer dealer(batch, max_bytes);
  if (lane == SpoolLane::kSpans) {
    dealer.Deal(batch.spans, &model::Batch::spans);
    // Before the chunks that refer to them.
    dealer.Deal(batch.contents, &model::Batch::contents);
    dealer.Deal(batch.chunks, &model::Batch::chunks);
  } else {
    // Names and losses first: what follows is read by them.
    dealer.Deal(batch.addresses, &model::Batch::addresses);
    dealer.Deal(batch.losses, &model::Batch::losses);
    dealer.Deal(batch.processes, &model::Batch::processes);
    dealer.Deal(batch.edges, &model::Batch::edges);
    dealer.DealPoints(batch.series, batch.points);
  }
  return dealer.Take();
}

uint64_t RequestsOf(const model::Batch& batch) {
  uint64_t requests = 0;
  for (const model::EdgeStats& edge : batch.edges) requests += edge.count;
  return requests;
}

}  // namespace kindling::agent
