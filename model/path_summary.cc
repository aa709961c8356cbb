#include "model/path_summary.h"

#include <algorithm>

namespace kindling::model {

void PathSummary::Add(const PathJourney& journey) {
  ++packets_;
  ++outcomes_[static_cast<size_t>(journey.outcome)];
  for (size_t i = 0; i < journey.hops.size(); ++i) {
    const PathHop& hop = journey.hops[i];
    Key key(hop.is_reply, hop.node, hop.network_namespace, hop.device, hop.place, hop.location,
            hop.reason);
    if (rows_.size() >= kRowsMax && !rows_.contains(key)) {
      key = Key(hop.is_reply, "", "(other)", "", PathPlace::kUnknown, "", "");
    }
    Sum& sum = rows_[key];
    ++sum.packets;
    sum.positions += i;
    if (journey.CrossesClocks(i)) {
      ++sum.across_clocks;
    } else if (i > 0) {
      sum.since_last.Record(journey.SinceLastNs(i));
    }
  }
}

std::vector<PathSummary::Row> PathSummary::Rows() const {
  std::vector<Row> rows;
  for (const auto& [key, sum] : rows_) {
    Row row;
    std::tie(row.is_reply, row.node, row.network_namespace, row.device, row.place, row.location,
             row.reason) = key;
    row.packets = sum.packets;
    row.since_last = sum.since_last;
    row.across_clocks = sum.across_clocks;
    row.mean_position = static_cast<double>(sum.positions) / static_cast<double>(sum.packets);
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
    return std::tie(a.is_reply, a.mean_position) < std::tie(b.is_reply, b.mean_position);
  });
  return rows;
}

}  // namespace kindling::model
