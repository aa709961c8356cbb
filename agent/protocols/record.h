#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/protocol.h"

namespace kindling::agent {

namespace dns {
struct QueryEvent;
}

// One request with its response, as a protocol codec understood it from the bytes of one
// connection. All text is templated and redacted already. Times are ns since boot.
struct Record {
  int64_t request_start_ns = 0;
  int64_t request_end_ns = 0;
  int64_t response_start_ns = 0;  // 0 with response_end_ns: no response was seen
  int64_t response_end_ns = 0;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint32_t request_tcp_seq = 0;
  uint32_t response_tcp_seq = 0;
  uint32_t request_tid = 0;
  uint32_t response_tid = 0;
  uint32_t stream_id = 0;
  // How many further requests are told with this one: they are of the same text and outcome, were
  // moved in the same calls, and are as long as the two sums say. 0 unless the sink takes runs.
  uint32_t more = 0;
  uint64_t more_request_bytes = 0;
  uint64_t more_response_bytes = 0;
  model::Outcome outcome = model::Outcome::kUnset;
  std::string endpoint;     // "GET /products/*", "GET", "SELECT shop.products", "A shop.test"
  std::string status_code;  // "200", "WRONGTYPE", "1064", "NXDOMAIN"
  // Detail for spans only, for example {"db.statement", "SELECT ... ?"}; the names are
  // OpenTelemetry's.
  std::vector<std::pair<std::string_view, std::string>> attributes;

  uint64_t requests() const { return 1 + uint64_t{more}; }

  void Clear() {
    std::string endpoint_storage = std::move(endpoint);
    std::string status_storage = std::move(status_code);
    auto attribute_storage = std::move(attributes);
    *this = Record();
    endpoint_storage.clear();
    status_storage.clear();
    attribute_storage.clear();
    endpoint = std::move(endpoint_storage);
    status_code = std::move(status_storage);
    attributes = std::move(attribute_storage);
  }
};

// Takes finished records. `record` is valid only during the call; the codec reuses it.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void OnRecord(const Record& record) = 0;
  // Bytes that arrived but could not be understood; `requests` is how many requests they are known
  // to have held, 0 when that cannot be told.
  virtual void OnUnparsed(uint64_t bytes, uint64_t requests) = 0;
  // A request that began at `start_ns` was seen and gives no record, for bytes around it were lost.
  virtual void OnDropped(int64_t start_ns) { (void)start_ns; }
  // What a query of DNS came to, while it is open; beside its record.
  virtual void OnDnsQuery(const dns::QueryEvent& event) { (void)event; }
  // Whether a record may stand for a run of requests, see Record::more.
  virtual bool takes_runs() const { return false; }
};

}  // namespace kindling::agent
