// series_block_benchmark [SECONDS]: bytes per row and rates of edge and metric blocks, of one core
// (processor time), on series from a seed. SECONDS (600) is how long the calls of edge rows go on.

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/blocks/edge_block.h"
#include "storage/blocks/metric_block.h"
#include "storage/rollup.h"
#include "tests/load/store/metric_traffic.h"
#include "tests/load/store/traffic.h"

namespace kindling::load {
namespace {

using model::EdgeStats;
using storage::MetricRun;
using storage::MetricWindow;
using storage::SealedBlock;
using storage::ZstdDictionaries;

constexpr int64_t kSecond = 1'000'000'000;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Sizes {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  double encode_s = 0;
  double decode_s = 0;

  void Print(const std::string& name, const char* unit) const {
    const auto count = static_cast<double>(rows);
    std::printf(
        "%-46s %9llu %-10s %5llu blocks %7.3f bytes each  encode %6.2f M/s  decode %6.2f M/s",
        name.c_str(), static_cast<unsigned long long>(rows), unit,
        static_cast<unsigned long long>(blocks), static_cast<double>(bytes) / count,
        count / encode_s / 1e6, count / decode_s / 1e6);
    std::printf("\n");
  }
};

void Check(bool ok) {
  if (ok) return;
  std::fprintf(stderr, "series_block_benchmark: a block does not come back\n");
  std::exit(1);
}

void Add(Sizes& sizes, std::vector<EdgeStats> rows) {
  const ZstdDictionaries none;
  double start = CpuSeconds();
  const SealedBlock block = storage::EncodeEdgeBlock(std::move(rows), none);
  sizes.encode_s += CpuSeconds() - start;
  start = CpuSeconds();
  const auto decoded = storage::DecodeEdgeBlock(block.body, none);
  sizes.decode_s += CpuSeconds() - start;
  Check(decoded.ok() && decoded->size() == block.rows);
  sizes.rows += block.rows;
  sizes.bytes += block.body.size() + block.summary.size() + block.filter.size();
  ++sizes.blocks;
}

void Add(Sizes& sizes, std::vector<MetricRun> runs) {
  const ZstdDictionaries none;
  double start = CpuSeconds();
  const SealedBlock block = storage::EncodeMetricBlock(std::move(runs), none);
  sizes.encode_s += CpuSeconds() - start;
  start = CpuSeconds();
  const auto decoded = storage::DecodeMetricBlock(block.body, none);
  sizes.decode_s += CpuSeconds() - start;
  Check(decoded.ok());
  sizes.rows += block.rows;
  sizes.bytes += block.body.size() + block.summary.size() + block.filter.size();
  ++sizes.blocks;
}

// All of one series in one block, as merging leaves it.
Sizes Merged(std::vector<EdgeStats> rows) {
  const auto key = [](const EdgeStats& row) {
    return std::tie(row.observer, row.server, row.client, row.protocol, row.transport, row.endpoint,
                    row.outcome, row.status_code, row.window_start_ns);
  };
  std::sort(rows.begin(), rows.end(),
            [&key](const EdgeStats& a, const EdgeStats& b) { return key(a) < key(b); });
  Sizes sizes;
  std::vector<EdgeStats> some;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (some.size() >= storage::kEdgeBlockRows && !storage::SameEdgeSeries(some.back(), rows[i])) {
      Add(sizes, std::exchange(some, {}));
    }
    some.push_back(rows[i]);
  }
  if (!some.empty()) Add(sizes, std::move(some));
  return sizes;
}

Sizes Merged(const std::vector<MetricRun>& runs) {
  Sizes sizes;
  std::vector<MetricRun> some;
  size_t points = 0;
  for (const MetricRun& run : runs) {
    some.push_back(run);
    points += run.windows.size();
    if (points < storage::kMetricBlockPoints) continue;
    Add(sizes, std::exchange(some, {}));
    points = 0;
  }
  if (!some.empty()) Add(sizes, std::move(some));
  return sizes;
}

// What the sealer makes of a minute.
Sizes Small(const std::vector<MetricRun>& runs) {
  Sizes sizes;
  std::vector<MetricRun> some;
  size_t points = 0;
  for (const MetricRun& run : runs) {
    some.push_back({.series = run.series});
    some.back().windows.assign(run.windows.begin(),
                               run.windows.begin() + std::min<ptrdiff_t>(6, run.windows.size()));
    points += some.back().windows.size();
    if (points < storage::kMetricBlockPoints) continue;
    Add(sizes, std::exchange(some, {}));
    points = 0;
  }
  if (!some.empty()) Add(sizes, std::move(some));
  return sizes;
}

std::vector<MetricRun> Traffic10s(uint32_t series, int steps) {
  MetricTrafficOptions options;
  options.series = series;
  MetricTraffic traffic(options);
  std::map<model::MetricSeries, std::vector<MetricWindow>> windows;
  for (int i = 0; i < steps; ++i) {
    for (const model::Batch& batch : traffic.NextStep()) {
      for (const model::MetricPoint& point : batch.points) {
        windows[batch.series[point.series]].push_back(storage::WindowOf(point));
      }
    }
  }
  std::vector<MetricRun> runs;
  for (auto& [name, of_series] : windows) runs.push_back({name, std::move(of_series)});
  return runs;
}

// Series of one shape, `value` gives the next from the last.
std::vector<MetricRun> Shape(const std::function<double(Random&, int, double)>& value) {
  Random random(7);
  std::vector<MetricRun> runs;
  for (int i = 0; i < 728; ++i) {
    MetricRun run;
    run.series.name = "metric";
    run.series.labels = {{"workload", "w" + std::to_string(i)}};
    double last = 0;
    for (int step = 0; step < 360; ++step) {
      last = value(random, i, last);
      model::MetricPoint point;
      point.time_ns = (1'780'000'000 + 10 * step) * kSecond;
      point.value = last;
      run.windows.push_back(storage::WindowOf(point));
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

void Metrics() {
  const std::vector<MetricRun> hour = Traffic10s(3640, 360);
  Merged(hour).Print("traffic, an hour of 10 s, merged", "points");
  Small(Traffic10s(43'680, 6)).Print("traffic, a minute of 10 s", "points");
  Merged(storage::RollUpMetrics(hour, 60 * kSecond)).Print("traffic, an hour of 1 min", "windows");
  Merged(storage::RollUpMetrics(Traffic10s(364, 360 * 24), 3600 * kSecond))
      .Print("traffic, a day of 1 h", "windows");
  Merged(Shape([](Random& random, int i, double) {
    return static_cast<double>(random.Poisson(0.1 * std::pow(1e5, i / 728.0)));
  })).Print("counters, 0.1 .. 10,000 a step", "points");
  Merged(Shape([](Random& random, int, double last) {
    return std::max(0.0, last + static_cast<double>(random.Below(7)) - 3);
  })).Print("whole gauges that wander by up to 3", "points");
  Merged(Shape([](Random& random, int, double last) {
    return std::round((last + random.Normal() * 0.05) * 1000) / 1000;
  })).Print("gauges of 3 digits that wander by 0.05", "points");
  Merged(Shape([](Random& random, int, double last) {
    return last + random.Normal() * 0.001;
  })).Print("gauges of all digits that wander by 0.001", "points");
  Merged(Shape([](Random& random, int, double) {
    return random.Uniform();
  })).Print("random fractions", "points");
  Merged(Shape([](Random&, int i, double) { return i * 4096.0; })).Print("constants", "points");
}

void Edges(int seconds) {
  for (const double weight : {1.0, 8.0}) {
    TrafficOptions options;
    options.spans = false;
    options.requests_per_span = weight;
    Traffic traffic(options);
    std::vector<EdgeStats> rows;
    std::vector<EdgeStats> minute;
    uint64_t requests = 0;
    Sizes sealed;
    for (int second = 0; second < seconds; second += 10) {
      for (model::Batch& batch : traffic.NextWindow()) {
        for (EdgeStats& row : batch.edges) {
          requests += row.count;
          if (second < 60) minute.push_back(row);
          rows.push_back(std::move(row));
        }
      }
    }
    std::printf("edges, %.0f requests a call: %zu rows, %.1f requests a row\n", weight, rows.size(),
                static_cast<double>(requests) / static_cast<double>(rows.size()));
    for (size_t i = 0; i < minute.size(); i += storage::kEdgeBlockRows) {
      const size_t end = std::min(minute.size(), i + storage::kEdgeBlockRows);
      Add(sealed, std::vector<EdgeStats>(minute.begin() + static_cast<ptrdiff_t>(i),
                                         minute.begin() + static_cast<ptrdiff_t>(end)));
    }
    sealed.Print("a minute of 10 s, as it comes", "rows");
    Merged(rows).Print(std::to_string(seconds) + " s of 10 s, merged", "rows");
    double start = CpuSeconds();
    const std::vector<EdgeStats> minutes = storage::RollUpEdges(rows, 60 * kSecond);
    std::printf("roll-up to 1 min: %.2f M rows/s\n",
                static_cast<double>(rows.size()) / (CpuSeconds() - start) / 1e6);
    Merged(minutes).Print("the same by 1 min", "rows");
    Merged(storage::RollUpEdges(minutes, 3600 * kSecond)).Print("the same by 1 h", "rows");
    for (EdgeStats& row : rows) row.latency = {};
    Merged(rows).Print("the same of 10 s without histograms", "rows");
  }
}

}  // namespace
}  // namespace kindling::load

int main(int argc, char** argv) {
  kindling::load::Metrics();
  kindling::load::Edges(argc > 1 ? std::atoi(argv[1]) : 600);
  return 0;
}
