#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/metrics_text.h"

namespace kindling::base {

// Threads: all three are safe from any.
class Counter {
 public:
  void Increment(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  // Rising upper bounds; the last bucket, +Inf, is implied.
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);
  void WriteTo(std::string_view labels, MetricsText& text) const;

 private:
  const std::vector<double> bounds_;
  mutable absl::Mutex mu_;
  std::vector<uint64_t> counts_ ABSL_GUARDED_BY(mu_);
  double sum_ ABSL_GUARDED_BY(mu_) = 0;
};

// A program's metrics about itself.
//
// Threads:  safe from any. Functions given to it run inside Text(), under its lock: they must not
//           call it.
// Lifetime: what Add*() returns lives as long as the registry; what the functions refer to must
//           outlive it.
class Metrics {
 public:
  // One series; a second call with the same name adds another of its labels. Names and help texts
  // are constants of the program: a name with two types aborts.
  Counter& AddCounter(std::string_view name, std::string_view help,
                      const MetricLabels& labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                          const MetricLabels& labels = {});
  // A value that is read when it is asked for.
  void AddFunction(std::string_view name, MetricType type, std::string_view help,
                   std::function<double()> value, const MetricLabels& labels = {});
  // Whole families, written after the others.
  void AddWriter(std::function<void(MetricsText&)> writer);

  std::string Text() const;

 private:
  struct Series {
    std::string labels;
    std::function<void(std::string_view labels, MetricsText& text)> write;
  };
  struct Family {
    MetricType type = MetricType::kGauge;
    std::string help;
    std::vector<Series> series;
  };
  void Add(std::string_view name, MetricType type, std::string_view help,
           const MetricLabels& labels, std::function<void(std::string_view, MetricsText&)> write);

  mutable absl::Mutex mu_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void(MetricsText&)>> writers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::base
