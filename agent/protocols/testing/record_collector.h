#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/protocols/record.h"

namespace kindling::agent {

// All fields, for comparisons and messages of tests.
std::string DebugString(const Record& record);

// A sink that keeps what it gets.
class RecordCollector : public RecordSink {
 public:
  void OnRecord(const Record& record) override { records.push_back(record); }
  void OnUnparsed(uint64_t bytes, uint64_t requests) override {
    unparsed_bytes += bytes;
    unparsed_requests += requests;
  }
  void OnDropped(int64_t start_ns) override { dropped.push_back(start_ns); }
  bool takes_runs() const override { return wants_runs; }

  // "endpoint -> status_code" of each record, in order.
  std::vector<std::string> Summaries() const;
  // DebugString of each record, in order.
  std::vector<std::string> Full() const;

  bool wants_runs = false;
  std::vector<Record> records;
  uint64_t unparsed_bytes = 0;
  uint64_t unparsed_requests = 0;
  std::vector<int64_t> dropped;  // starts, in order
};

// Value of an attribute, "" if the record has none of that name.
std::string_view AttributeOf(const Record& record, std::string_view name);

}  // namespace kindling::agent
