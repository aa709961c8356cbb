#include "controller/ingest/batch_reader.h"

#include "absl/strings/str_format.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {

BatchReader::BatchReader(const v1::Batch& in, int64_t latest_ns)
    : in_(in), latest_ns_(latest_ns), first_ns_(in.first_time_ns()) {
  Time(first_ns_, "first_time_ns");
  CheckTexts();
  ReadParties();
}

void BatchReader::Fail(std::string_view what) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrFormat("batch: %s", what));
}

void BatchReader::FailOutOfRange(std::string_view column) {
  Fail(absl::StrFormat("%s is out of range", column));
}

int BatchReader::Rows(std::string_view table, std::initializer_list<int> sizes) {
  const int rows = std::max(sizes);
  if (rows > kMaxBatchRows) {
    Fail(absl::StrFormat("%s has %d rows, at most %d are allowed", table, rows, kMaxBatchRows));
  }
  for (const int size : sizes) {
    if (size != 0 && size != rows) {
      Fail(absl::StrFormat("columns of %s differ in length", table));
    }
  }
  return status_.ok() ? rows : 0;
}

int BatchReader::RowsOf(int size, size_t per_row) {
  const int divisor = static_cast<int>(per_row);
  if (size % divisor != 0) Fail("blame_ns has an odd length");
  return size / divisor;
}

void BatchReader::CheckTexts() {
  if (in_.strings_size() > kMaxBatchRows) Fail("too many strings");
  if (in_.strings_size() > 0 && !in_.strings(0).empty()) Fail("string 0 is not empty");
  texts_.reserve(in_.strings().size());
  for (const std::string& text : in_.strings()) {
    if (text.size() > kMaxTextBytes) Fail("a string is too long");
    texts_.push_back(&text);
  }
}

bool BatchReader::Spend(size_t bytes) {
  text_bytes_ += bytes;
  if (text_bytes_ > kMaxDecodedTextBytes) Fail("its texts are too large");
  return status_.ok();
}

void BatchReader::Text(uint32_t index, std::string& out) {
  if (index == 0 || !status_.ok()) return;
  if (index >= texts_.size()) return Fail("no such string");
  const std::string& text = *texts_[index];
  if (Spend(text.size())) out = text;
}

void BatchReader::Address(uint32_t index, std::string& out) {
  Text(index, out);
  if (out.size() > kMaxAddressBytes) Fail("an address is too long");
}

void BatchReader::Party(uint32_t index, model::Party& out) {
  if (!status_.ok() || (index == 0 && parties_.empty())) return;
  if (index >= parties_.size()) return Fail("no such party");
  const SizedParty& party = parties_[index];
  if (Spend(party.text_bytes)) out = party.party;
}

uint64_t BatchReader::Number(uint64_t value, std::string_view column) {
  if (value > kMaxNumber) Fail(absl::StrFormat("%s is too large", column));
  return value;
}

int64_t BatchReader::Duration(int64_t value, std::string_view column) {
  if (value < 0 || value > static_cast<int64_t>(kMaxNumber)) FailOutOfRange(column);
  return value;
}

int64_t BatchReader::Time(int64_t value, std::string_view column) {
  if (value < 0) Fail(absl::StrFormat("%s is before 1970", column));
  if (value > latest_ns_) {
    Fail(absl::StrFormat("%s lies far in the future: is the agent's clock right?", column));
  }
  return value;
}

int64_t BatchReader::Later(int64_t& time_ns, int64_t delta_ns, std::string_view column) {
  if (__builtin_add_overflow(time_ns, delta_ns, &time_ns)) time_ns = -1;
  return Time(time_ns, column);
}

void BatchReader::ReadParties() {
  const v1::PartyColumns& c = in_.parties();
  const int rows = Rows("parties", {c.workload_size(), c.workload_kind_size(), c.host_size(),
                                    c.address_size(), c.port_size(), c.dns_name_size()});
  parties_.resize(rows);
  for (int i = 0; i < rows && status_.ok(); ++i) {
    const size_t before = text_bytes_;
    model::Party& party = parties_[i].party;
    Text(At(c.workload(), i), party.workload);
    Text(At(c.workload_kind(), i), party.workload_kind);
    Text(At(c.host(), i), party.host);
    Address(At(c.address(), i), party.address);
    party.port = Port(At(c.port(), i));
    Text(At(c.dns_name(), i), party.dns_name);
    parties_[i].text_bytes = text_bytes_ - before;
  }
}

}  // namespace kindling::controller
