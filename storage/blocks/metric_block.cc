#include "storage/blocks/metric_block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>

#include "base/status_macros.h"
#include "storage/blocks/bloom.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/label_index.h"
#include "storage/blocks/metric_rows.h"
#include "storage/blocks/range_coder.h"
#include "storage/blocks/series_rows.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint64_t kMaxPoints = 2 * kMetricBlockPoints;
constexpr size_t kMaxIndexBytes = size_t{64} << 20;

// On disk: never renumber.
enum Section : uint32_t {
  kTexts = 1,
  kLabels = 2,
  kSeries = 3,
  kDirectory = 4,
  kFirstSegment = 16,
};
constexpr uint32_t kOnlySection = 1;  // of a summary or filter
constexpr size_t kFilterBitsPerKey = 10;

// In the order of the values; NaN at the end.
struct Rank {
  bool is_nan = false;
  int64_t bits = 0;
  auto operator<=>(const Rank&) const = default;
};
Rank RankOf(double value) {
  const auto bits = std::bit_cast<int64_t>(value);
  return {.is_nan = std::isnan(value), .bits = bits < 0 ? INT64_MIN - bits - 1 : bits};
}

double Least(double a, double b) { return RankOf(b) < RankOf(a) ? b : a; }
double Most(double a, double b) {
  if (std::isnan(a) != std::isnan(b)) return std::isnan(a) ? b : a;
  return RankOf(a) < RankOf(b) ? b : a;
}

// To 15 digits unless it is a whole number: then fractions of decimals add up as if on paper, in
// whatever order, and stay short on disk.
double RoundedSum(double a, double b) {
  const double sum = a + b;
  if (std::isnan(sum)) return std::numeric_limits<double>::quiet_NaN();
  const double size = std::fabs(sum);
  if (!(size < 1e15) || size < 1e-7 || sum == std::trunc(sum)) return sum;
  int digits = 15;  // behind the point
  for (double power = 1; power <= size; power *= 10) --digits;
  for (double power = 0.1; power > size; power /= 10) ++digits;
  static constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  return std::nearbyint(sum * kPowers[digits]) / kPowers[digits];
}

// Windows of one time are merged in this order, whatever the order they came in.
auto MergeOrder(const MetricWindow& window) {
  return std::tuple(window.time_ns, window.last_ns, RankOf(window.last), RankOf(window.sum),
                    RankOf(window.least), RankOf(window.most), window.count);
}

// The windows of each series, by time, each once; takes them from the runs.
std::vector<std::vector<MetricWindow>> WindowsOf(std::vector<MetricRun>& runs,
                                                 const EncodedLabelIndex& index) {
  std::vector<std::vector<MetricWindow>> windows(index.series);
  for (size_t i = 0; i < runs.size(); ++i) {
    std::vector<MetricWindow>& of_series = windows[index.numbers[i]];
    if (of_series.empty()) {
      of_series = std::move(runs[i].windows);
    } else {
      std::move(runs[i].windows.begin(), runs[i].windows.end(), std::back_inserter(of_series));
    }
  }
  for (std::vector<MetricWindow>& of_series : windows) JoinWindows(of_series);
  return windows;
}

uint64_t NameHash(std::string_view name) { return StableHash(name, 1); }
uint64_t LabelHash(std::string_view name, std::string_view value) {
  return StableHash(value, StableHash(name, 2));
}

std::string EncodeFilter(const EncodedLabelIndex& index) {
  std::vector<uint64_t> hashes;
  for (const std::string_view name : index.names) hashes.push_back(NameHash(name));
  for (const auto& [name, value] : index.pairs) hashes.push_back(LabelHash(name, value));
  return Bloom::Make(hashes, kFilterBitsPerKey);
}

std::string EncodeSummary(const SealedBlock& block) {
  std::string out;
  PutVarint(out, ZigZag(block.first_ns));
  PutVarint(out, ZigZag(block.last_ns));
  PutVarint(out, block.rows);
  return out;
}

std::string Alone(FrameClass frame_class, std::string_view bytes,
                  const ZstdDictionaries& dictionaries) {
  FrameWriter frame(frame_class, kVersion, dictionaries);
  frame.Add(kOnlySection, bytes, Packing::kStored);
  return frame.Finish();
}

absl::StatusOr<LabelIndex> ReadIndex(const FrameReader& frame,
                                     std::optional<std::string_view> only = std::nullopt) {
  LabelIndexBytes bytes;
  std::string room;
  ASSIGN_OR_RETURN(std::string_view section, frame.Read(kTexts, room, kMaxMetricBlockTextBytes));
  bytes.texts = section;
  ASSIGN_OR_RETURN(section, frame.Read(kLabels, room, kMaxIndexBytes));
  bytes.labels = section;
  ASSIGN_OR_RETURN(section, frame.Read(kSeries, room, kMaxIndexBytes));
  bytes.series = section;
  return LabelIndex::Parse(bytes, kMaxPoints, kMaxMetricBlockTextBytes, only);
}

}  // namespace

SealedBlock EncodeMetricBlock(std::vector<MetricRun> runs, const ZstdDictionaries& dictionaries) {
  std::erase_if(runs, [](const MetricRun& run) { return run.windows.empty(); });
  std::vector<const model::MetricSeries*> series;
  for (MetricRun& run : runs) {
    SortLabels(run.series);
    series.push_back(&run.series);
  }
  const EncodedLabelIndex index = EncodeLabelIndex(series);
  std::vector<std::vector<MetricWindow>> windows = WindowsOf(runs, index);

  SealedBlock block;
  if (!runs.empty()) {
    block.first_ns = INT64_MAX;
    block.last_ns = INT64_MIN;
  }
  std::vector<uint64_t> sizes;
  for (const std::vector<MetricWindow>& of_series : windows) {
    sizes.push_back(of_series.size());
    block.rows += of_series.size();
    block.first_ns = std::min(block.first_ns, of_series.front().time_ns);
    block.last_ns = std::max(block.last_ns, of_series.back().time_ns);
  }

  FrameWriter frame(FrameClass::kMetrics, kVersion, dictionaries);
  frame.Add(kTexts, index.bytes.texts, Packing::kText);
  frame.Add(kLabels, index.bytes.labels, Packing::kStored);
  frame.Add(kSeries, index.bytes.series, Packing::kStored);
  const SegmentDirectory directory = {.base_ns = block.first_ns, .segments = CutSegments(sizes)};
  frame.Add(kDirectory, EncodeDirectory(directory), Packing::kStored);
  size_t next = 0;
  uint32_t number = kFirstSegment;
  for (const SeriesSegment& segment : directory.segments) {
    RangeEncoder encoder;
    const auto rows = std::make_unique<MetricRows>(directory.base_ns);
    for (uint64_t i = 0; i < segment.series; ++i, ++next) {
      rows->Code(encoder, windows[next], sizes[next]);
    }
    frame.Add(number++, encoder.Finish(), Packing::kStored);
  }
  block.body = frame.Finish();
  block.summary = Alone(FrameClass::kMetricSummary, EncodeSummary(block), dictionaries);
  block.filter = Alone(FrameClass::kMetricFilter, EncodeFilter(index), dictionaries);
  return block;
}

absl::StatusOr<std::vector<MetricRun>> DecodeMetricBlock(std::string_view body,
                                                         const ZstdDictionaries& dictionaries,
                                                         const WantSeries& want, int64_t start_ns,
                                                         int64_t end_ns) {
  ASSIGN_OR_RETURN(const FrameReader frame,
                   FrameReader::Open(body, FrameClass::kMetrics, kVersion, dictionaries));
  ASSIGN_OR_RETURN(const LabelIndex index, ReadIndex(frame));
  std::string room;
  ASSIGN_OR_RETURN(const std::string_view bytes, frame.Read(kDirectory, room, kMaxIndexBytes));
  ASSIGN_OR_RETURN(const SegmentDirectory directory, ParseDirectory(bytes, kMaxPoints));
  if (directory.series != index.size()) {
    return absl::DataLossError("another number of series than points are of");
  }

  const auto wanted_time = [&](int64_t time_ns) {
    return time_ns >= start_ns && (time_ns < end_ns || end_ns == INT64_MAX);
  };
  std::vector<MetricRun> runs;
  std::vector<std::pair<uint64_t, model::MetricSeries>> wanted;
  std::vector<MetricWindow> windows;
  size_t text_bytes = 0;
  uint64_t buckets_left = kMaxMetricBlockBuckets;
  uint64_t first = 0;
  uint32_t number = kFirstSegment;
  for (const SeriesSegment& segment : directory.segments) {
    wanted.clear();
    for (uint64_t i = first; i < first + segment.series; ++i) {
      model::MetricSeries series = index.Series(i);
      if (want != nullptr && !want(series)) continue;
      text_bytes += index.TextBytes(i);
      if (text_bytes > kMaxMetricBlockTextBytes) return absl::DataLossError("texts are too large");
      wanted.emplace_back(i, std::move(series));
    }
    first += segment.series;
    const uint32_t section = number++;
    if (wanted.empty()) continue;
    ASSIGN_OR_RETURN(const std::string_view stream, frame.Read(section, room));
    RangeDecoder decoder(stream);
    const auto rows = std::make_unique<MetricRows>(directory.base_ns, buckets_left);
    uint64_t left = segment.rows;
    auto next = wanted.begin();
    for (uint64_t i = first - segment.series; i < first; ++i) {
      rows->Code(decoder, windows, left);
      if (!decoder.ok()) return absl::DataLossError("points are damaged");
      left -= windows.size();
      if (next == wanted.end() || next->first != i) continue;
      MetricRun run{.series = std::move(next->second)};
      ++next;
      for (MetricWindow& window : windows) {
        if (wanted_time(window.time_ns)) run.windows.push_back(std::move(window));
      }
      if (!run.windows.empty()) runs.push_back(std::move(run));
    }
    if (left != 0 || !decoder.Finished()) return absl::DataLossError("points are damaged");
    buckets_left = rows->buckets_left();
  }
  return runs;
}

absl::StatusOr<std::vector<model::MetricSeries>> DecodeMetricSeries(
    std::string_view body, const ZstdDictionaries& dictionaries) {
  ASSIGN_OR_RETURN(const FrameReader frame,
                   FrameReader::Open(body, FrameClass::kMetrics, kVersion, dictionaries));
  ASSIGN_OR_RETURN(const LabelIndex index, ReadIndex(frame));
  std::vector<model::MetricSeries> series;
  size_t text_bytes = 0;
  for (size_t i = 0; i < index.size(); ++i) {
    text_bytes += index.TextBytes(i);
    if (text_bytes > kMaxMetricBlockTextBytes) return absl::DataLossError("texts are too large");
    series.push_back(index.Series(i));
  }
  return series;
}

absl::StatusOr<std::vector<std::pair<std::string, uint64_t>>> DecodeLabelValues(
    std::string_view body, std::string_view label, const ZstdDictionaries& dictionaries) {
  ASSIGN_OR_RETURN(const FrameReader frame,
                   FrameReader::Open(body, FrameClass::kMetrics, kVersion, dictionaries));
  ASSIGN_OR_RETURN(const LabelIndex index, ReadIndex(frame, label));
  return index.Values(label);
}

bool MetricFilterMayMatch(std::string_view filter, std::string_view name,
                          const std::vector<std::pair<std::string, std::string>>& labels) {
  const ZstdDictionaries none;
  const auto frame = FrameReader::Open(filter, FrameClass::kMetricFilter, kVersion, none);
  if (!frame.ok()) return true;
  std::string room;
  const auto bits = frame->Read(kOnlySection, room, kMaxIndexBytes);
  if (!bits.ok()) return true;
  if (!name.empty() && !Bloom::MayHold(*bits, NameHash(name))) return false;
  return std::all_of(labels.begin(), labels.end(), [&bits](const auto& label) {
    return Bloom::MayHold(*bits, LabelHash(label.first, label.second));
  });
}

MetricWindow WindowOf(const model::MetricPoint& point) {
  return {.time_ns = point.time_ns,
          .count = 1,
          .sum = point.value,
          .least = point.value,
          .most = point.value,
          .last = point.value,
          .last_ns = point.time_ns,
          .histogram = point.histogram};
}

void SortLabels(model::MetricSeries& series) {
  auto& labels = series.labels;
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (!std::is_sorted(labels.begin(), labels.end(), by_name)) {
    std::stable_sort(labels.begin(), labels.end(), by_name);
  }
  labels.erase(std::unique(labels.begin(), labels.end(), same_name), labels.end());
}

void MergeWindow(MetricWindow& window, const MetricWindow& later) {
  window.histogram.Merge(later.histogram);
  if (later.count == 0) return;
  if (window.count == 0) {
    std::tie(window.count, window.sum, window.least, window.most, window.last, window.last_ns) =
        std::tie(later.count, later.sum, later.least, later.most, later.last, later.last_ns);
    return;
  }
  window.count += later.count;
  window.sum = RoundedSum(window.sum, later.sum);
  window.least = Least(window.least, later.least);
  window.most = Most(window.most, later.most);
  if (std::tuple(window.last_ns, RankOf(window.last)) <
      std::tuple(later.last_ns, RankOf(later.last))) {
    window.last = later.last;
    window.last_ns = later.last_ns;
  }
}

void JoinWindows(std::vector<MetricWindow>& windows) {
  const auto not_after = [](const MetricWindow& a, const MetricWindow& b) {
    return a.time_ns >= b.time_ns;
  };
  // Mostly they are in order and each is alone.
  if (std::adjacent_find(windows.begin(), windows.end(), not_after) == windows.end()) return;
  std::sort(windows.begin(), windows.end(), [](const MetricWindow& a, const MetricWindow& b) {
    return MergeOrder(a) < MergeOrder(b);
  });
  size_t kept = 0;
  for (size_t i = 0; i < windows.size(); ++i) {
    if (kept > 0 && windows[kept - 1].time_ns == windows[i].time_ns) {
      MergeWindow(windows[kept - 1], windows[i]);
    } else {
      if (kept != i) windows[kept] = std::move(windows[i]);
      ++kept;
    }
  }
  windows.resize(kept);
}

}  // namespace kindling::storage
