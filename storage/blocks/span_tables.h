#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/records.h"
#include "storage/blocks/ends_table.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_aliases.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_units.h"
#include "storage/blocks/text_table.h"

// What the units of a block of spans share.
namespace kindling::storage {

// Failure: sticky; once damaged() every answer is empty or meaningless.
// Lifetime: the body and the dictionaries must outlive this. Not to be moved: readers of units
//           point here.
class SpanTables {
 public:
  struct Unit : UnitBounds {
    size_t rows = 0;
    size_t connections = 0;
    model::SpanId least_id = 0;
    model::SpanId greatest_id = 0;
    size_t first_pair = 0;  // pairs of aliases that came up before
  };

  explicit SpanTables(FrameReader frame) : frame_(std::move(frame)) {}
  SpanTables(const SpanTables&) = delete;
  SpanTables& operator=(const SpanTables&) = delete;

  // False: damaged.
  [[nodiscard]] bool Open();

  bool damaged() const { return damaged_; }
  bool Fail() {
    damaged_ = true;
    return false;
  }
  const FrameReader& frame() const { return frame_; }
  const SpanMeta& meta() const { return meta_; }
  const std::vector<Unit>& units() const { return units_; }
  const TextTable& texts() const { return texts_; }
  const EndsTable& ends() const { return ends_; }

  // Number of the text of endpoint or result number `number`; the result's outcome.
  uint32_t EndpointText(uint64_t number) const { return endpoint_texts_[number]; }
  uint32_t ResultText(uint64_t number) const { return results_[number].text; }
  model::Outcome ResultOutcome(uint64_t number) const { return results_[number].outcome; }
  bool ResultIsSlow(uint64_t number) const { return results_[number].slow; }

  // Null: damaged.
  AttributeTables* Attributes();
  const AliasTable* Aliases();

 private:
  struct Result {
    uint32_t text = 0;
    model::Outcome outcome = model::Outcome::kUnset;
    bool slow = false;
  };
  bool ReadMeta();
  bool ReadTexts();
  bool ReadUnits();
  bool ReadResults();

  FrameReader frame_;
  bool damaged_ = false;
  SpanMeta meta_;
  std::vector<Unit> units_;
  TextTable texts_;
  EndsTable ends_;
  std::vector<uint32_t> endpoint_texts_;
  std::vector<Result> results_;
  std::optional<AttributeTables> attributes_;
  std::optional<AliasTable> aliases_;
};

}  // namespace kindling::storage
