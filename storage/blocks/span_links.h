#pragma once

#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/blocks/frame.h"

// Ids of the spans of a block: own, parent, trace and alias. Each is predicted from what the other
// columns say, so that an id minted by an agent takes about a byte.
namespace kindling::storage {

// What the prediction rests on, by row.
struct LinkRows {
  std::vector<int64_t> start_ns;
  std::vector<int64_t> end_ns;
  std::vector<uint32_t> host;  // of the observer, below host_count
  uint32_t host_count = 0;
  std::vector<uint32_t> process;  // host and pid, below process_count
  uint32_t process_count = 0;
  std::vector<uint32_t> client;  // party, below client_count
  uint32_t client_count = 0;
  std::vector<bool> serves;  // the server's view

  size_t size() const { return start_ns.size(); }
};

struct Links {
  std::vector<model::SpanId> ids;
  std::vector<model::SpanId> parents;
  std::vector<model::TraceId> traces;
  std::vector<model::TraceId> alias_traces;
  std::vector<model::SpanId> alias_parents;
};

// Rows by `times`, in the order that the format asks for: by the time less the least one, shifted
// right until all fit 33 bits, then by number.
std::vector<uint32_t> OrderByTime(const std::vector<int64_t>& times);

void EncodeLinks(FrameWriter& frame, const LinkRows& rows, const Links& links);

// Each fills its part of `links`. False: damaged.
[[nodiscard]] bool DecodeIds(const FrameReader& frame, const LinkRows& rows, Links& links);
// After DecodeIds.
[[nodiscard]] bool DecodeParentsAndTraces(const FrameReader& frame, const LinkRows& rows,
                                          Links& links);
[[nodiscard]] bool DecodeAliases(const FrameReader& frame, const LinkRows& rows, Links& links);

}  // namespace kindling::storage
