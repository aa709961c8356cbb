#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/blame.h"
#include "model/latency_histogram.h"
#include "model/records.h"

namespace kindling::v1 {
class Batch;
}

namespace kindling::controller {

// A column's value in row `i`; an empty column holds the default.
template <typename Column>
auto At(const Column& column, int i) {
  return column.empty() ? typename Column::value_type{} : column.Get(i);
}

// Reads values of one batch and checks each against the limits of decode.h.
//
// Lifetime: the batch must outlive this.
// Failure:  sticky; the first fault is kept and everything after it reads as nothing.
class BatchReader {
 public:
  BatchReader(const v1::Batch& in, int64_t latest_ns);

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }
  int64_t first_ns() const { return first_ns_; }

  void Fail(std::string_view what);

  // Rows of a table whose columns have these sizes; 0 once anything has failed.
  int Rows(std::string_view table, std::initializer_list<int> sizes);
  // Rows of the blame column.
  int RowsOf(int size, size_t per_row);

  // Values that refer to the batch's own tables.
  void Text(uint32_t index, std::string& out);
  void Address(uint32_t index, std::string& out);
  void Party(uint32_t index, model::Party& out);

  template <typename E>
  E Enum(uint32_t value, std::string_view column) {
    if (value > UINT8_MAX) FailOutOfRange(column);
    return static_cast<E>(value);
  }
  uint16_t Port(uint32_t value) {
    if (value > UINT16_MAX) FailOutOfRange("port");
    return static_cast<uint16_t>(value);
  }
  uint64_t Number(uint64_t value, std::string_view column);
  int64_t Duration(int64_t value, std::string_view column);
  int64_t Time(int64_t value, std::string_view column);
  // A time that is given as the difference to the row before; `time_ns` holds that one's.
  int64_t Later(int64_t& time_ns, int64_t delta_ns, std::string_view column);

  template <typename Column>
  void Blame(const Column& column, int row, model::BlameVector& out) {
    if (column.empty()) return;
    constexpr auto kCauses = static_cast<int>(model::kCauseCount);
    for (int i = 0; i < kCauses; ++i) out.ns[i] = Number(column.Get(row * kCauses + i), "blame_ns");
  }

  // The histogram of row `row` of a table with latency columns; `at` is the place of the first
  // bucket that no row before has taken.
  template <typename Columns>
  void Latency(const Columns& c, int row, int& at, model::LatencyHistogram& out) {
    const uint32_t count = At(c.latency_bucket_count(), row);
    const uint32_t offset = At(c.latency_offset(), row);
    constexpr auto kMaxBuckets = static_cast<uint32_t>(model::LatencyHistogram::kMaxBuckets);
    if (count > kMaxBuckets || offset > kMaxBuckets ||
        static_cast<int>(count) > c.latency_buckets_size() - at) {
      return Fail("latency_bucket_count does not add up");
    }
    const std::span<const uint64_t> buckets(c.latency_buckets().data() + at, count);
    at += static_cast<int>(count);
    for (const uint64_t in_bucket : buckets) Number(in_bucket, "latency_buckets");
    if (!out.Assign(static_cast<int>(offset), buckets,
                    Number(At(c.latency_zero_count(), row), "latency_zero_count"),
                    At(c.latency_sum_ns(), row), At(c.latency_min_ns(), row),
                    At(c.latency_max_ns(), row))) {
      Fail("a latency histogram is inconsistent");
    }
  }

 private:
  void FailOutOfRange(std::string_view column);
  void CheckTexts();
  void ReadParties();
  bool Spend(size_t bytes);

  const v1::Batch& in_;
  const int64_t latest_ns_;
  const int64_t first_ns_;
  absl::Status status_;
  size_t text_bytes_ = 0;
  std::vector<const std::string*> texts_;
  struct SizedParty {
    model::Party party;
    size_t text_bytes = 0;
  };
  std::vector<SizedParty> parties_;
};

}  // namespace kindling::controller
