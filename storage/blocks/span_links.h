#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/records.h"
#include "storage/blocks/frame.h"

// Ids of the spans of a unit of a block: own, parent and trace. Each is predicted from what the
// other columns say, so that an id minted by an agent takes about a byte.
namespace kindling::storage {

// What the prediction rests on, by row.
struct LinkRows {
  std::vector<int64_t> start_ns;
  std::vector<uint32_t> by_start;  // OrderByTime of them
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
};

// The same of others.
struct LinksView {
  std::span<const model::SpanId> ids;
  std::span<const model::SpanId> parents;
  std::span<const model::TraceId> traces;
};

// Columns of the unit whose first is `base`.
void EncodeLinks(FrameWriter& frame, uint32_t base, const LinkRows& rows, const LinksView& links);

// Each fills its part of `links`. False: damaged.
[[nodiscard]] bool DecodeIds(const FrameReader& frame, uint32_t base, const LinkRows& rows,
                             Links& links);
// After DecodeIds.
[[nodiscard]] bool DecodeParentsAndTraces(const FrameReader& frame, uint32_t base,
                                          const LinkRows& rows, Links& links);

}  // namespace kindling::storage
