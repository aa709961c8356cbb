#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/blocks/ends_table.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_links.h"
#include "storage/blocks/text_table.h"

// The columns of a block of spans, each decoded when it is first asked for.
namespace kindling::storage {

// How rows of TCP positions are predicted: by what the message before of the connection took.
// Undoes itself: encoding gives differences, decoding the positions. Both want the rows in the
// block's order.
void PredictSeqs(const std::vector<uint32_t>& connection_of_row, const std::vector<uint64_t>& bytes,
                 std::vector<uint64_t>& seqs, bool decode);

// Failure: sticky; once damaged() every answer is empty or meaningless.
// Lifetime: the body and the dictionaries must outlive this. Not to be moved: readers of parts
//           point to others.
class SpanColumns {
 public:
  explicit SpanColumns(FrameReader frame) : frame_(std::move(frame)) {}
  SpanColumns(const SpanColumns&) = delete;
  SpanColumns& operator=(const SpanColumns&) = delete;

  // Ends, connections and texts: what everything else rests on. False: damaged.
  [[nodiscard]] bool Open();

  bool damaged() const { return damaged_; }
  size_t rows() const { return meta_.rows; }
  const TextTable& texts() const { return texts_; }
  const EndsTable& ends() const { return ends_; }
  uint32_t ends_of_row(uint32_t row) const { return ends_of_row_[row]; }
  // The rows of ends number `number` stand together.
  uint32_t first_row_of_ends(size_t number) const { return first_row_of_ends_[number]; }
  uint16_t client_port(uint32_t row) const { return ports_[connection_of_row_[row]]; }
  uint32_t pid(uint32_t row) const { return pids_[connection_of_row_[row]]; }

  // A column by row. All zeros when damaged.
  const std::vector<uint64_t>& Numbers(SpanColumn column);
  const std::vector<int64_t>& StartTimes();
  // Request, wait and response together.
  const std::vector<int64_t>& Durations();

  // Number of the text of endpoint or result number `number`; the result's outcome.
  uint32_t EndpointText(uint64_t number) const { return endpoint_texts_[number]; }
  uint32_t ResultText(uint64_t number) const { return results_[number].text; }
  model::Outcome ResultOutcome(uint64_t number) const { return results_[number].outcome; }
  bool ResultIsSlow(uint64_t number) const { return results_[number].slow; }
  size_t endpoint_count() const { return endpoint_texts_.size(); }
  size_t result_count() const { return results_.size(); }

  // Null: damaged.
  AttributesReader* Attributes();
  const std::vector<model::SpanId>& Ids();
  const std::vector<model::TraceId>& Traces();
  const std::vector<model::TraceId>& AliasTraces();

  // So that Get may be called. False: damaged.
  [[nodiscard]] bool LoadAll();
  model::Span Get(uint32_t row) const;

 private:
  struct Result {
    uint32_t text = 0;
    model::Outcome outcome = model::Outcome::kUnset;
    bool slow = false;
  };
  static constexpr size_t kColumns = kBlameEnd;

  bool ReadMeta();
  bool ReadTexts();
  bool ReadConnections();
  bool ReadTables();
  bool Decode(uint32_t column, std::vector<uint64_t>& values);
  const std::vector<uint32_t>& Endpoints();
  const std::vector<uint32_t>& Results();
  const LinkRows& LinkInput();
  const std::vector<uint64_t>& Column(SpanColumn column) const { return *columns_[column]; }
  bool Fail() {
    damaged_ = true;
    return false;
  }

  FrameReader frame_;
  bool damaged_ = false;
  SpanMeta meta_;
  TextTable texts_;
  EndsTable ends_;
  std::vector<uint32_t> first_row_of_ends_;
  std::vector<uint32_t> ends_of_row_;
  std::vector<uint32_t> connection_of_row_;
  std::vector<uint16_t> ports_;  // by connection, as the next
  std::vector<uint32_t> pids_;
  std::vector<uint64_t> first_starts_;
  std::vector<uint32_t> ends_of_connection_;
  std::vector<uint32_t> endpoint_texts_;
  std::vector<Result> results_;
  std::array<std::optional<std::vector<uint64_t>>, kColumns> columns_;
  std::optional<std::vector<int64_t>> start_times_;
  std::optional<std::vector<int64_t>> durations_;
  std::optional<std::vector<uint32_t>> endpoints_;  // as contexts
  std::optional<std::vector<uint32_t>> result_numbers_;
  std::optional<AttributesReader> attributes_;
  std::optional<LinkRows> link_rows_;
  Links links_;
  bool has_ids_ = false;
  bool has_traces_ = false;
  bool has_aliases_ = false;
};

}  // namespace kindling::storage
