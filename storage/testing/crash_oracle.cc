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
int64_t TimeOf(const model::Chunk& row) { return row.first_ns; }

template <typename Row>
void Take(std::vector<Row>& to, const std::vector<Row>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Rows that are stored one by one. Returns how many are missing that may be.
template <typename Row>
absl::StatusOr<uint64_t> CheckRows(std::string_view name,
                                   const std::vector<const model::Batch*>& expected,
                                   std::vector<Row> model::Batch::*rows,
                                   const std::vector<Row>& found,
                                   const std::array<uint64_t, CrashRecords::kStreams>& required,
                                   int64_t horizon_ns, bool whole_buckets = false) {
  struct Want {
    const Row* row = nullptr;
    int times = 0;
  };
  std::map<CrashTag, Want> wanted;
  CrashTag tag;
  for (const model::Batch* batch : expected) {
    for (const Row& row : batch->*rows) {
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
  uint64_t missing = 0;
  for (const auto& [at, want] : wanted) {
    if (want.times > 0) continue;
    ++missing;
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
  return missing;
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
  uint64_t count = 0;
  double sum = 0;
  double least = 0;
  double most = 0;
  model::LatencyHistogram histogram;

  void Add(uint64_t more, double more_sum, double more_least, double more_most,
           const model::LatencyHistogram& more_histogram) {
    least = count == 0 ? more_least : std::min(least, more_least);
    most = count == 0 ? more_most : std::max(most, more_most);
    count += more;
    sum += more_sum;
    histogram.Merge(more_histogram);
  }
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
    sums[{Align(point.time_ns, step_ns), batch.series[point.series]}].Add(
        1, point.value, point.value, point.value, point.histogram);
  }
}

void AddRuns(const std::vector<MetricRun>& runs, int64_t step_ns, PointSums& sums) {
  for (const MetricRun& run : runs) {
    for (const MetricWindow& window : run.windows) {
      sums[{Align(window.time_ns, step_ns), run.series}].Add(window.count, window.sum, window.least,
                                                             window.most, window.histogram);
    }
  }
}

int64_t StartOf(const EdgeSums::value_type& entry) { return entry.first.window_start_ns; }
int64_t StartOf(const PointSums::value_type& entry) { return entry.first.first; }
double SizeOf(const EdgeSum& sum) { return static_cast<double>(sum.count); }
double SizeOf(const PointSum& sum) { return static_cast<double>(sum.count); }

// Of sums that were made of rows older than `longer_before_ns` only longer windows may be left;
// those of rows older than `less_before_ns` may be less than they should, for some rows came too
// late.
struct Allowed {
  int64_t longer_before_ns = INT64_MIN;
  int64_t less_before_ns = INT64_MIN;
};

template <typename Sums>
absl::StatusOr<uint64_t> Compare(std::string_view name, const Sums& expected, const Sums& found,
                                 int64_t step_ns, const Allowed& allowed) {
  const auto where = [&](const auto& entry) {
    return absl::StrFormat("%s of step %d s: the window %d s after the beginning", name,
                           step_ns / 1'000'000'000,
                           (StartOf(entry) - CrashRecords::kBeginNs) / 1'000'000'000);
  };
  for (const auto& entry : found) {
    if (StartOf(entry) < allowed.longer_before_ns || expected.contains(entry.first)) continue;
    return absl::InternalError(where(entry) + " was not sent");
  }
  uint64_t missing = 0;
  for (const auto& entry : expected) {
    if (StartOf(entry) < allowed.longer_before_ns) continue;
    const auto it = found.find(entry.first);
    const auto sum = it == found.end() ? typename Sums::mapped_type() : it->second;
    if (sum == entry.second) continue;
    ++missing;
    if (StartOf(entry) < allowed.less_before_ns && SizeOf(sum) <= SizeOf(entry.second)) continue;
    return absl::InternalError(absl::StrFormat("%s sums up to %g instead of %g", where(entry),
                                               SizeOf(sum), SizeOf(entry.second)));
  }
  return missing;
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

CrashOracle::Sequences CrashOracle::Acked() const {
  Sequences out;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    out[static_cast<size_t>(i)] = ledger_.stream(i).acked;
  }
  return out;
}

int64_t CrashOracle::Horizon(int64_t age_ns) const {
  const int64_t now_ns = ledger_.now_ns();
  if (now_ns == 0) return INT64_MIN;
  return options_.all_may_go ? INT64_MAX : now_ns - age_ns;
}

absl::StatusOr<CrashOracle::Found> CrashOracle::Read(Store& store, int64_t step_ns, bool rows) {
  Found found;
  const auto note = [&](const ScanReport& report) {
    found.report.damaged_blocks += report.damaged_blocks;
    Take(found.report.notes, report.notes);
  };
  ASSIGN_OR_RETURN(const ScanReport scanned,
                   store.Scan({.tenant = "default",
                               .cluster = "test",
                               .step_ns = step_ns,
                               .spans = rows,
                               .edges = true,
                               .processes = rows,
                               .addresses = rows,
                               .losses = rows},
                              [&](const model::Batch& part) {
                                Take(found.rows.spans, part.spans);
                                Take(found.rows.edges, part.edges);
                                Take(found.rows.processes, part.processes);
                                Take(found.rows.addresses, part.addresses);
                                Take(found.rows.losses, part.losses);
                                return true;
                              }));
  note(scanned);
  ASSIGN_OR_RETURN(const ScanReport series,
                   store.QuerySeries({.tenant = "default", .cluster = "test", .step_ns = step_ns},
                                     [&](const MetricRun& run) {
                                       found.runs.push_back(run);
                                       return true;
                                     }));
  note(series);
  if (rows) {
    ASSIGN_OR_RETURN(
        const ScanReport chunks,
        store.QueryChunks({.tenant = "default", .cluster = "test"}, [&](const model::Chunk& chunk) {
          found.rows.chunks.push_back(chunk);
          return true;
        }));
    note(chunks);
  }
  return found;
}

absl::StatusOr<CrashOracle::Found> CrashOracle::ReadWhole(Store& store, int64_t step_ns,
                                                          bool rows) {
  ASSIGN_OR_RETURN(Found found, Read(store, step_ns, rows));
  if (found.report.damaged_blocks == 0) return found;
  return absl::InternalError("the store says it is damaged: " + (found.report.notes.empty()
                                                                     ? std::string("?")
                                                                     : found.report.notes.front()));
}

CrashOracle::Batches CrashOracle::Expected(const Sequences& last) const {
  Batches out;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    for (uint64_t sequence = 1; sequence <= last[static_cast<size_t>(i)]; ++sequence) {
      out.push_back(&records_.Batch(i, sequence));
    }
  }
  return out;
}

absl::StatusOr<uint64_t> CrashOracle::CheckSums(const std::vector<const model::Batch*>& expected,
                                                const Found& found, int64_t step_ns,
                                                bool damaged) const {
  const int64_t gone_10s_ns = Horizon(options_.series_10s_age_ns);
  Allowed allowed{.less_before_ns = damaged ? INT64_MAX : gone_10s_ns};
  if (step_ns == 0) allowed.longer_before_ns = gone_10s_ns;
  if (step_ns == kMinuteNs) allowed.longer_before_ns = Horizon(options_.series_1m_age_ns);
  for (const model::EdgeStats& row : found.rows.edges) {
    // A window that reaches beyond its step would be added to the wrong one.
    if (step_ns != 0 && row.window_start_ns >= allowed.longer_before_ns &&
        Align(row.window_start_ns, step_ns) !=
            Align(row.window_start_ns + row.window_ns - 1, step_ns)) {
      return absl::InternalError("edges: a window is longer than the step");
    }
  }
  EdgeSums wanted_edges;
  EdgeSums found_edges;
  PointSums wanted_points;
  PointSums found_points;
  for (const model::Batch* batch : expected) {
    AddEdges(*batch, step_ns, wanted_edges);
    AddPoints(*batch, step_ns, wanted_points);
  }
  AddEdges(found.rows, step_ns, found_edges);
  AddRuns(found.runs, step_ns, found_points);
  ASSIGN_OR_RETURN(const uint64_t edges,
                   Compare("edges", wanted_edges, found_edges, step_ns, allowed));
  ASSIGN_OR_RETURN(const uint64_t points,
                   Compare("points", wanted_points, found_points, step_ns, allowed));
  return edges + points;
}

absl::Status CrashOracle::CheckLookups(Store& store,
                                       const std::vector<const model::Batch*>& expected,
                                       const model::Batch& found) {
  std::map<CrashTag, const model::Span*> spans;
  CrashTag tag;
  Store::SpanIds ids{.tenant = "default", .cluster = "test"};
  for (const model::Span& span : found.spans) {
    ReadTag(span, tag);
    spans[tag] = &span;
    if (tag.row % 4 == 0) ids.spans.push_back(span.id);
    if (tag.row % 4 == 1 && span.alias_trace_id != model::TraceId{}) {
      ids.aliases.push_back(span.alias_trace_id);
    }
  }
  const auto searched = spans;
  uint64_t strange = 0;
  ASSIGN_OR_RETURN(
      const ScanReport search,
      store.SearchSpans({.tenant = "default", .cluster = "test"}, [&](const model::Span& span) {
        if (!ReadTag(span, tag) || spans.erase(tag) == 0) ++strange;
        return INT64_MIN;
      }));
  if (strange > 0 || !spans.empty() || search.damaged_blocks > 0) {
    return absl::InternalError(
        absl::StrFormat("spans: a search gives %d that a scan does not, and not %d that it does",
                        strange, spans.size()));
  }
  std::vector<model::Span> by_id;
  RETURN_IF_ERROR(store.FindSpans(ids, &by_id).status());
  std::map<model::SpanId, int> ids_found;
  std::map<model::TraceId, int> aliases_found;
  for (const model::Span& span : by_id) {
    if (!ReadTag(span, tag) || !searched.contains(tag) || *searched.at(tag) != span) {
      return absl::InternalError("spans: one that is found by id is not there by a scan");
    }
    ++ids_found[span.id];
    ++aliases_found[span.alias_trace_id];
  }
  for (const model::SpanId id : ids.spans) {
    if (ids_found[id] != 1) {
      return absl::InternalError(absl::StrFormat("spans: one id is found %d times", ids_found[id]));
    }
  }
  for (const model::TraceId& alias : ids.aliases) {
    if (aliases_found[alias] != 1) {
      return absl::InternalError(
          absl::StrFormat("spans: one alias is found %d times", aliases_found[alias]));
    }
  }
  const int64_t horizon_ns = Horizon(options_.spans_age_ns);
  for (const model::Batch* batch : expected) {
    for (const model::Content& content : batch->contents) {
      const auto bytes = store.GetContent("default", "test", content.hash);
      if (!bytes.ok() && content.time_ns < horizon_ns) continue;
      if (!bytes.ok() || *bytes != content.bytes) {
        return absl::InternalError("contents: " + (bytes.ok() ? std::string("one has changed")
                                                              : bytes.status().ToString()));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CrashOracle::CheckAll(Store& store) {
  RETURN_IF_ERROR(CheckOpened(store));
  const Sequences durable = Acked();
  const Batches expected = Expected(durable);
  ASSIGN_OR_RETURN(const Found found, ReadWhole(store, 0, /*rows=*/true));
  const auto check = [&](std::string_view name, auto rows, int64_t age_ns, bool buckets = true) {
    return CheckRows(name, expected, rows, found.rows.*rows, durable, Horizon(age_ns), buckets)
        .status();
  };
  RETURN_IF_ERROR(check("losses", &model::Batch::losses, options_.events_age_ns));
  RETURN_IF_ERROR(check("spans", &model::Batch::spans, options_.spans_age_ns));
  RETURN_IF_ERROR(check("processes", &model::Batch::processes, options_.events_age_ns));
  RETURN_IF_ERROR(check("chunks", &model::Batch::chunks, options_.spans_age_ns));
  RETURN_IF_ERROR(check("addresses", &model::Batch::addresses, 0, false));
  RETURN_IF_ERROR(CheckLookups(store, expected, found.rows));
  RETURN_IF_ERROR(CheckSums(expected, found, 0, /*damaged=*/false).status());
  for (const int64_t step_ns : {kMinuteNs, kHourNs}) {
    ASSIGN_OR_RETURN(const Found sums, ReadWhole(store, step_ns, /*rows=*/false));
    RETURN_IF_ERROR(CheckSums(expected, sums, step_ns, /*damaged=*/false).status());
  }
  return absl::OkStatus();
}

absl::Status CrashOracle::CheckBeside(Store& store) {
  const Sequences required = Acked();
  ASSIGN_OR_RETURN(const Found found, ReadWhole(store, 0, /*rows=*/true));
  Sequences sent;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    sent[static_cast<size_t>(i)] = ledger_.stream(i).sent;
  }
  const Batches expected = Expected(sent);
  const auto check = [&](std::string_view name, auto rows, int64_t age_ns) {
    return CheckRows(name, expected, rows, found.rows.*rows, required, Horizon(age_ns)).status();
  };
  RETURN_IF_ERROR(check("losses", &model::Batch::losses, options_.events_age_ns));
  RETURN_IF_ERROR(check("spans", &model::Batch::spans, options_.spans_age_ns));
  RETURN_IF_ERROR(check("processes", &model::Batch::processes, options_.events_age_ns));
  RETURN_IF_ERROR(check("chunks", &model::Batch::chunks, options_.spans_age_ns));
  return check("addresses", &model::Batch::addresses, 0);
}

absl::StatusOr<uint64_t> CrashOracle::CheckDamaged(Store& store, ScanReport& report) {
  const Batches expected = Expected(Acked());
  ASSIGN_OR_RETURN(const Found found, Read(store, 0, /*rows=*/true));
  report = found.report;
  uint64_t missing = 0;
  const auto check = [&](std::string_view name, auto rows) -> absl::Status {
    ASSIGN_OR_RETURN(const uint64_t rows_missing,
                     CheckRows(name, expected, rows, found.rows.*rows, {}, INT64_MAX));
    missing += rows_missing;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(check("losses", &model::Batch::losses));
  RETURN_IF_ERROR(check("spans", &model::Batch::spans));
  RETURN_IF_ERROR(check("processes", &model::Batch::processes));
  RETURN_IF_ERROR(check("chunks", &model::Batch::chunks));
  RETURN_IF_ERROR(check("addresses", &model::Batch::addresses));
  ASSIGN_OR_RETURN(const uint64_t windows, CheckSums(expected, found, 0, /*damaged=*/true));
  missing += windows;
  for (const int64_t step_ns : {kMinuteNs, kHourNs}) {
    ASSIGN_OR_RETURN(const Found sums, Read(store, step_ns, /*rows=*/false));
    ASSIGN_OR_RETURN(const uint64_t sums_missing,
                     CheckSums(expected, sums, step_ns, /*damaged=*/true));
    missing += sums_missing;
    report.damaged_blocks += sums.report.damaged_blocks;
    Take(report.notes, sums.report.notes);
  }
  return missing;
}

}  // namespace kindling::storage
