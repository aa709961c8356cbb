#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/admin.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

std::string Ago(int64_t ns, const Session& session) {
  return base::FormatDurationNs(static_cast<double>(std::max<int64_t>(session.now_ns() - ns, 0))) +
         " ago";
}

std::string DescribeOperation(const v1::StoreOperation& operation, const Session& session) {
  std::string text = operation.name();
  if (!operation.directory().empty()) text += " to " + operation.directory();
  if (operation.ended_ns() == 0) {
    return text + ", since " +
           FormatTimeShort(operation.started_ns(), session.now_ns(), session.globals().zone) +
           (operation.total() > 0
                ? ", " + FormatPercent(operation.done() / operation.total()) + " done"
                : "");
  }
  text += operation.error().empty() ? ", done " : ", failed ";
  text += Ago(operation.ended_ns(), session);
  return operation.error().empty() ? text : text + ": " + operation.error();
}

class Description {
 public:
  Description(const v1::GetStoreStatusResponse& status, const Session& session)
      : status_(status), session_(session) {}

  std::string Write() {
    Line("store", absl::StrFormat("%s, format %d, in %s", status_.store_id(), status_.format(),
                                  status_.directory()));
    Line("size", base::FormatBytes(status_.bytes()) + " of " +
                     base::FormatBytes(status_.max_bytes()) + "; " +
                     base::FormatBytes(status_.free_bytes()) + " free on the disk");
    Line("records",
         status_.oldest_record_ns() == 0
             ? "none"
             : "since " + FormatTime(status_.oldest_record_ns(), session_.globals().zone));
    if (status_.stopped().empty()) {
      Line("ingest", "runs");
    } else {
      Line("ingest", "stopped: " + status_.stopped(), Tone::kBad);
    }
    for (const std::string& fault : status_.faults()) {
      Line("damage", "cannot read " + fault, Tone::kBad);
    }
    Line("unsealed", Unsealed());
    if (status_.late_refused() > 0) {
      Line("too late", Plural(status_.late_refused(), "record") + " refused", Tone::kWarning);
    }
    if (status_.write_stalls() > 0) {
      Line("stalls",
           Plural(status_.write_stalls(), "write") + ", " +
               base::FormatDurationNs(status_.write_stall_seconds() * 1e9),
           Tone::kWarning);
    }
    const double reads = status_.cache_hits() + status_.cache_misses();
    Line("cache", reads == 0 ? "not read yet"
                             : FormatPercent(status_.cache_hits() / reads) + " of " +
                                   FormatShortCount(reads) + " reads hit");
    Line("memory", base::FormatBytes(status_.memory_bytes()) + " of " +
                       base::FormatBytes(status_.memory_limit_bytes()));
    if (status_.has_running()) Line("running", DescribeOperation(status_.running(), session_));
    if (status_.has_last()) {
      Line("last", DescribeOperation(status_.last(), session_),
           status_.last().error().empty() ? Tone::kPlain : Tone::kBad);
    }
    return std::move(out_);
  }

 private:
  void Line(const std::string& name, const std::string& value, Tone tone = Tone::kPlain) {
    out_ += absl::StrFormat("%-10s%s\n", name, session_.style().Paint(tone, CleanText(value)));
  }

  std::string Unsealed() const {
    if (status_.unsealed_batches() == 0) return "none";
    return FormatCount(status_.unsealed_batches()) + " batches, " +
           base::FormatBytes(status_.unsealed_bytes()) + ", the oldest from " +
           Ago(status_.oldest_unsealed_ns(), session_);
  }

  const v1::GetStoreStatusResponse& status_;
  const Session& session_;
  std::string out_;
};

// One row for each record class, or for each bucket.
struct BucketRow {
  std::string record_class;
  size_t buckets = 0;
  int64_t last_start_ns = 0;
  v1::StoreBucket sum;
};

std::vector<BucketRow> RowsOf(const v1::GetStoreStatusResponse& status, bool is_wide) {
  std::vector<BucketRow> rows;
  for (const v1::StoreBucket& bucket : status.buckets()) {
    if (is_wide || rows.empty() || rows.back().record_class != bucket.record_class()) {
      rows.push_back({.record_class = bucket.record_class(),
                      .buckets = 1,
                      .last_start_ns = bucket.start_ns(),
                      .sum = bucket});
      continue;
    }
    BucketRow& row = rows.back();
    // Parts of one bucket have its start.
    row.buckets += bucket.start_ns() != row.last_start_ns ? 1 : 0;
    row.last_start_ns = bucket.start_ns();
    row.sum.set_start_ns(std::min(row.sum.start_ns(), bucket.start_ns()));
    row.sum.set_end_ns(std::max(row.sum.end_ns(), bucket.end_ns()));
    row.sum.set_blocks(row.sum.blocks() + bucket.blocks());
    row.sum.set_rows(row.sum.rows() + bucket.rows());
    row.sum.set_bytes(row.sum.bytes() + bucket.bytes());
  }
  return rows;
}

Table BucketTable(const v1::GetStoreStatusResponse& status, const Session& session) {
  Table table({{.name = "CLASS"},
               {.name = session.is_wide() ? "PART" : "BUCKETS", .right = true},
               {.name = "FROM"},
               {.name = "TO"},
               {.name = "BLOCKS", .right = true},
               {.name = "ROWS", .right = true},
               {.name = "SIZE", .right = true}});
  const auto time = [&session](int64_t ns) {
    return absl::FormatTime("%Y-%m-%d %H:%M", absl::FromUnixNanos(ns), session.globals().zone);
  };
  for (const BucketRow& row : RowsOf(status, session.is_wide())) {
    table.AddRow({{row.record_class},
                  {std::to_string(session.is_wide() ? row.sum.part() : row.buckets)},
                  {time(row.sum.start_ns())},
                  {time(row.sum.end_ns())},
                  {FormatCount(row.sum.blocks())},
                  {FormatCount(row.sum.rows())},
                  {base::FormatBytes(row.sum.bytes())}});
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::GetStoreStatusResponse status;
  RETURN_IF_ERROR(session.Ask(v1::GetStoreStatusRequest(), &status));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(status));
  if (is_printed) return ExitCode::kOk;
  session.out() << Description(status, session).Write();
  if (!status.buckets().empty()) {
    session.out() << "\n" << BucketTable(status, session).Render(session.style(), session.width());
  }
  return ExitCode::kOk;
}

}  // namespace

Command StoreStatusCommand() {
  return {.name = "store status",
          .summary = "size, health and buckets of the controller's store",
          .details =
              "Unsealed records are durable and found by every question, but not in compressed "
              "blocks yet. -o wide has a line for every time bucket. A compaction, backup or "
              "verification that runs, and how the last one ended, is shown too.",
          .formats = {"table", "wide", "json", "yaml"},
          .examples = {{"kindlingctl store status", "at a glance"},
                       {"kindlingctl store status -o json", "for a program"}},
          .run = Run};
}

}  // namespace kindling::ui
