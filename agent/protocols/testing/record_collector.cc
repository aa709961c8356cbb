#include "agent/protocols/testing/record_collector.h"

#include "absl/strings/str_format.h"

namespace kindling::agent {

std::string DebugString(const Record& record) {
  std::string text = absl::StrFormat(
      "%s -> %s (%s) request{%d..%d ns, %u B, seq %u, tid %u} response{%d..%d ns, %u B, seq %u, "
      "tid %u} stream %u",
      record.endpoint, record.status_code, model::Name(record.outcome), record.request_start_ns,
      record.request_end_ns, record.request_bytes, record.request_tcp_seq, record.request_tid,
      record.response_start_ns, record.response_end_ns, record.response_bytes,
      record.response_tcp_seq, record.response_tid, record.stream_id);
  for (const auto& [name, value] : record.attributes) {
    text += absl::StrFormat(" %s=\"%s\"", name, value);
  }
  return text;
}

std::vector<std::string> RecordCollector::Summaries() const {
  std::vector<std::string> all;
  for (const Record& record : records) all.push_back(record.endpoint + " -> " + record.status_code);
  return all;
}

std::vector<std::string> RecordCollector::Full() const {
  std::vector<std::string> all;
  for (const Record& record : records) all.push_back(DebugString(record));
  return all;
}

std::string_view AttributeOf(const Record& record, std::string_view name) {
  for (const auto& [key, value] : record.attributes) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace kindling::agent
