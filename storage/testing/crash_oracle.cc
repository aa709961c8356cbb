#include "storage/testing/crash_oracle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <new>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace kindling::storage {
namespace {

constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;
constexpr int64_t kHourNs = 60 * kMinuteNs;

int64_t TimeOf(const model::Span& row) { return row.start_ns; }
int64_t TimeOf(const model::ProcessEvent& row) { return row.time_ns; }
int64_t TimeOf(const model::AddressBinding& row) { return row.first_ns; }
int64_t TimeOf(const model::Loss& row) { return row.time_ns; }

template <typename Row>
void Take(std::vector<Row>& to, const std::vector<Row>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Rows that are stored one by one.
template <typename Row>
absl::Status CheckRows(std::string_view name, const std::vector<model::Batch>& expected,
                       std::vector<Row> model::Batch::*rows, const std::vector<Row>& found,
                       const std::array<uint64_t, CrashRecords::kStreams>& required,
                       int64_t horizon_ns, bool whole_buckets) {
  struct Want {
    const Row* row = nullptr;
    int times = 0;
  };
  std::map<CrashTag, Want> wanted;
  CrashTag tag;
  for (const model::Batch& batch : expected) {
    for (const Row& row : batch.*rows) {
      ReadTag(row, tag);
      wanted[tag] = {&row, 0};
    }
  }
  int64_t oldest_found_ns = INT64_MAX;
  for (const Row& row : found) {
    const auto it = ReadTag(row, tag) ? wanted.find(tag) : wanted.end();
    if (it == wanted.end()) {
      return absl::InternalError(
          absl::StrFormat("%s: there is one that was not sent (%s)", name, Text(tag)));
    }
    if (*it->second.row != row) {
      return absl::InternalError(absl::StrFormat("%s: %s has changed", name, Text(tag)));
    }
    if (++it->second.times > 1) {
      return absl::InternalError(absl::StrFormat("%s: %s is there twice", name, Text(tag)));
    }
    oldest_found_ns = std::min(oldest_found_ns, TimeOf(row));
  }
  for (const auto& [at, want] : wanted) {
    if (want.times > 0) continue;
    const int64_t time_ns = TimeOf(*want.row);
    if (at.sequence > required[static_cast<size_t>(at.stream)]) continue;
    if (time_ns >= horizon_ns) {
      return absl::InternalError(absl::StrFormat("%s: %s is missing", name, Text(at)));
    }
    if (whole_buckets && time_ns > oldest_found_ns) {
      return absl::InternalError(absl::StrFormat("%s: %s was dropped, but one %d s older was not",
                                                 name, Text(at),
                                                 (time_ns - oldest_found_ns) / 1'000'000'000));
    }
  }
  return absl::OkStatus();
}

// Sums of rows of one series and window.
struct EdgeLess {
  static auto Key(const model::EdgeStats& row) {
    return std::tie(row.window_start_ns, row.observer, row.client, row.server, row.protocol,
                    row.transport, row.endpoint, row.outcome, row.status_code);
  }
  bool operator()(const model::EdgeStats& a, const model::EdgeStats& b) const {
    return Key(a) < Key(b);
  }
};
struct EdgeSum {
  uint64_t count = 0;
  uint64_t slow_count = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t connections = 0;
  uint64_t connect_failures = 0;
  uint64_t connect_count = 0;
  uint64_t connect_sum_ns = 0;
  uint64_t lost = 0;
  model::LatencyHistogram latency;
  model::BlameVector blame;

  void Add(const model::EdgeStats& row) {
    count += row.count;
    slow_count += row.slow_count;
    sent_bytes += row.sent_bytes;
    received_bytes += row.received_bytes;
    connections += row.connections;
    connect_failures += row.connect_failures;
    connect_count += row.connect_count;
    connect_sum_ns += row.connect_sum_ns;
    lost += row.lost;
    latency.Merge(row.latency);
    blame += row.blame;
  }
  bool operator==(const EdgeSum&) const = default;
};
using EdgeSums = std::map<model::EdgeStats, EdgeSum, EdgeLess>;

struct PointSum {
  double value = 0;
  model::LatencyHistogram histogram;
  bool operator==(const PointSum&) const = default;
};
using PointSums = std::map<std::pair<int64_t, model::MetricSeries>, PointSum>;

int64_t Align(int64_t time_ns, int64_t step_ns) {
  return step_ns == 0 ? time_ns : time_ns - time_ns % step_ns;
}

void AddEdges(const model::Batch& batch, int64_t step_ns, EdgeSums& sums) {
  for (model::EdgeStats row : batch.edges) {
    row.window_start_ns = Align(row.window_start_ns, step_ns);
    sums[row].Add(row);
  }
}

void AddPoints(const model::Batch& batch, int64_t step_ns, PointSums& sums) {
  for (const model::MetricPoint& point : batch.points) {
    PointSum& sum = sums[{Align(point.time_ns, step_ns), batch.series[point.series]}];
    sum.value += point.value;
    sum.histogram.Merge(point.histogram);
  }
}

int64_t StartOf(const EdgeSums::value_type& entry) { return entry.first.window_start_ns; }
int64_t StartOf(const PointSums::value_type& entry) { return entry.first.first; }
double SizeOf(const EdgeSum& sum) { return static_cast<double>(sum.count); }
double SizeOf(const PointSum& sum) {
  return sum.value + static_cast<double>(sum.histogram.count());
}

template <typename Sums>
absl::Status Compare(std::string_view name, const Sums& expected, const Sums& found,
                     int64_t step_ns, int64_t horizon_ns) {
  for (const auto& entry : found) {
    if (!expected.contains(entry.first)) {
      return absl::InternalError(
          absl::StrFormat("%s of step %d s: there is a window that was not sent, %d s after the "
                          "beginning",
                          name, step_ns / 1'000'000'000,
                          (StartOf(entry) - CrashRecords::kBeginNs) / 1'000'000'000));
    }
  }
  for (const auto& entry : expected) {
    const auto it = found.find(entry.first);
    const bool may_be_dropped = StartOf(entry) < horizon_ns;
    const auto sum = it == found.end() ? typename Sums::mapped_type() : it->second;
    if (sum == entry.second) continue;
    if (may_be_dropped && SizeOf(sum) <= SizeOf(entry.second)) continue;
    return absl::InternalError(absl::StrFormat(
        "%s of step %d s: the window %d s after the beginning sums up to %g instead of %g", name,
        step_ns / 1'000'000'000, (StartOf(entry) - CrashRecords::kBeginNs) / 1'000'000'000,
        SizeOf(sum), SizeOf(entry.second)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CrashLedger>> CrashLedger::Open(const std::string& path) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  const base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid() || ::ftruncate(fd.get(), sizeof(Parts)) != 0) {
    return base::ErrnoStatus(errno, "open " + path);
  }
  void* memory = ::mmap(nullptr, sizeof(Parts), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return base::ErrnoStatus(errno, "map " + path);
  // All zero is what a new one holds.
  return std::unique_ptr<CrashLedger>(new CrashLedger(static_cast<Parts*>(memory)));
}

CrashLedger::~CrashLedger() { ::munmap(parts_, sizeof(Parts)); }

void CrashLedger::set_store_id(const std::string& id) {
  std::strncpy(parts_->store_id, id.c_str(), sizeof(parts_->store_id) - 1);
}

absl::Status CrashOracle::CheckOpened(Store& store) {
  if (ledger_.store_id().empty()) {
    ledger_.set_store_id(store.id());
  } else if (ledger_.store_id() != store.id()) {
    return absl::InternalError("the store has another id than before");
  }
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    ASSIGN_OR_RETURN(const std::vector<Store::Durable> runs,
                     store.DurableSequences(CrashRecords::AgentOf(i)));
    uint64_t durable = 0;
    for (const Store::Durable& run : runs) {
      if (run.boot_epoch == CrashRecords::EpochOf(i)) durable = run.sequence;
    }
    CrashLedger::Stream& stream = ledger_.stream(i);
    if (durable < stream.acked || durable > stream.sent) {
      return absl::InternalError(
          absl::StrFormat("stream %d: %d was sent, %d acknowledged, and %d is said to be durable",
                          i, stream.sent.load(), stream.acked.load(), durable));
    }
    stream.acked = durable;
  }
  return absl::OkStatus();
}

absl::StatusOr<model::Batch> CrashOracle::Read(Store& store, int64_t step_ns, bool rows) {
  model::Batch found;
  uint64_t damaged = 0;
  ASSIGN_OR_RETURN(const ScanReport report,
                   store.Scan({.tenant = "default",
                               .cluster = "test",
                               .step_ns = step_ns,
                               .spans = rows,
                               .edges = true,
                               .processes = rows,
                               .addresses = rows,
                               .losses = rows,
                               .metrics = options_.metrics},
                              [&](const model::Batch& part) {
                                Take(found.spans, part.spans);
                                Take(found.edges, part.edges);
                                Take(found.processes, part.processes);
                                Take(found.addresses, part.addresses);
                                Take(found.losses, part.losses);
                                const auto first = static_cast<uint32_t>(found.series.size());
                                Take(found.series, part.series);
                                for (model::MetricPoint point : part.points) {
                                  if (point.series >= part.series.size()) {
                                    ++damaged;
                                    continue;
                                  }
                                  point.series += first;
                                  found.points.push_back(std::move(point));
                                }
                                return true;
                              }));
  if (report.damaged_blocks != 0 || damaged != 0) {
    return absl::InternalError("the store says it is damaged: " +
                               (report.notes.empty() ? std::string("?") : report.notes.front()));
  }
  // The store's own count of what it refused.
  std::erase_if(found.losses,
                [](const model::Loss& row) { return row.stage == model::LossStage::kLateData; });
  return found;
}

std::vector<model::Batch> CrashOracle::Expected(const Sequences& last) const {
  std::vector<model::Batch> out;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    for (uint64_t sequence = 1; sequence <= last[static_cast<size_t>(i)]; ++sequence) {
      out.push_back(records_.Batch(i, sequence));
    }
  }
  return out;
}

absl::Status CrashOracle::CheckSums(const std::vector<model::Batch>& expected,
                                    const model::Batch& found, int64_t step_ns) {
  for (const model::EdgeStats& row : found.edges) {
    // A window that reaches beyond its step would be added to the wrong one.
    if (step_ns != 0 &&
        (row.window_ns > step_ns || Align(row.window_start_ns, step_ns) !=
                                        Align(row.window_start_ns + row.window_ns - 1, step_ns))) {
      return absl::InternalError("edges: a window is longer than the step");
    }
  }
  EdgeSums wanted_edges;
  EdgeSums found_edges;
  PointSums wanted_points;
  PointSums found_points;
  for (const model::Batch& batch : expected) {
    AddEdges(batch, step_ns, wanted_edges);
    AddPoints(batch, step_ns, wanted_points);
  }
  AddEdges(found, step_ns, found_edges);
  AddPoints(found, step_ns, found_points);
  const int64_t horizon_ns = ledger_.horizon_ns();
  RETURN_IF_ERROR(Compare("edges", wanted_edges, found_edges, step_ns, horizon_ns));
  if (!options_.metrics) return absl::OkStatus();
  return Compare("points", wanted_points, found_points, step_ns, horizon_ns);
}

absl::Status CrashOracle::CheckAll(Store& store) {
  RETURN_IF_ERROR(CheckOpened(store));
  Sequences durable;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    durable[static_cast<size_t>(i)] = ledger_.stream(i).acked;
  }
  const std::vector<model::Batch> expected = Expected(durable);
  ASSIGN_OR_RETURN(const model::Batch found, Read(store, 0, /*rows=*/true));
  const auto check = [&](std::string_view name, auto rows, bool buckets) {
    return CheckRows(name, expected, rows, found.*rows, durable, ledger_.horizon_ns(),
                     buckets && options_.whole_buckets);
  };
  RETURN_IF_ERROR(check("losses", &model::Batch::losses, true));
  RETURN_IF_ERROR(check("spans", &model::Batch::spans, true));
  RETURN_IF_ERROR(check("processes", &model::Batch::processes, true));
  RETURN_IF_ERROR(check("addresses", &model::Batch::addresses, false));
  RETURN_IF_ERROR(CheckSums(expected, found, 0));
  for (const int64_t step_ns : {kMinuteNs, kHourNs}) {
    ASSIGN_OR_RETURN(const model::Batch sums, Read(store, step_ns, /*rows=*/false));
    RETURN_IF_ERROR(CheckSums(expected, sums, step_ns));
  }
  return absl::OkStatus();
}

absl::Status CrashOracle::CheckBeside(Store& store) {
  Sequences required;
  Sequences sent;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    required[static_cast<size_t>(i)] = ledger_.stream(i).acked;
  }
  ASSIGN_OR_RETURN(const model::Batch found, Read(store, 0, /*rows=*/true));
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    sent[static_cast<size_t>(i)] = ledger_.stream(i).sent;
  }
  const std::vector<model::Batch> expected = Expected(sent);
  const auto check = [&](std::string_view name, auto rows) {
    return CheckRows(name, expected, rows, found.*rows, required, ledger_.horizon_ns(),
                     /*whole_buckets=*/false);
  };
  RETURN_IF_ERROR(check("losses", &model::Batch::losses));
  RETURN_IF_ERROR(check("spans", &model::Batch::spans));
  RETURN_IF_ERROR(check("processes", &model::Batch::processes));
  return check("addresses", &model::Batch::addresses);
}

}  // namespace kindling::storage
