#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/aggregate/batch_sink.h"
#include "agent/export/spool.h"
#include "base/clock.h"
#include "model/records.h"

namespace kindling::agent {

struct ExporterOptions {
  std::string host;
  // This run's start. Aggregates are numbered under it; spans, which are sent after them, under the
  // number before it.
  uint64_t boot_epoch = 0;
  // Batches waiting to be written to the spool; what does not fit is dropped and counted.
  size_t max_queued_bytes = 64 << 20;
  // Larger batches are split; the controller refuses messages above 8 MiB.
  size_t batch_bytes = 1 << 20;
  // Between two tries when the spool cannot be written.
  absl::Duration retry = absl::Seconds(1);
};

// What the exporter has done. Threads: readable from any.
struct ExporterCounters {
  std::atomic<uint64_t> batches{0};  // in the spool
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> failed_writes{0};
  std::atomic<uint64_t> dropped_requests{0};  // for want of room in the queue, or at the end
  std::atomic<uint64_t> dropped_spans{0};
};

// Takes batches from the capture thread, gives them to the taps, splits and encodes them and writes
// them to the spool.
//
// Threads:  OnBatch() from the capture thread; a thread of its own does the rest.
// Lifetime: what is given to the constructor must outlive it.
// Failure:  a batch that the spool cannot take is tried again until Stop(); meanwhile the queue
//           fills up. What is dropped, here or in the spool, becomes a Loss in a later batch.
class Exporter : public BatchSink {
 public:
  using Tap = std::function<void(const model::Batch&)>;

  // `wake` is called after each batch that is in the spool; taps run before.
  Exporter(ExporterOptions options, Spool* spool, const base::Clock* clock, std::vector<Tap> taps,
           std::function<void()> wake);
  ~Exporter() override;

  void Start();
  void OnBatch(model::Batch batch) override;
  // Writes what is queued, each batch tried once, and ends the thread.
  void Stop();

  const ExporterCounters& counters() const { return counters_; }

 private:
  struct Queued {
    model::Batch batch;
    size_t bytes = 0;
  };

  void Run();
  void Export(model::Batch batch);
  void AddLosses(model::Batch& batch);
  // Writes one lane's part of a batch under the next number.
  void Write(SpoolLane lane, model::Batch part);
  void Drop(uint64_t requests, uint64_t spans);
  bool Stopping() const;

  const ExporterOptions options_;
  Spool* const spool_;
  const base::Clock* const clock_;
  const std::vector<Tap> taps_;
  const std::function<void()> wake_;
  std::thread thread_;
  ExporterCounters counters_;

  // The exporter's thread only.
  std::array<uint64_t, kSpoolLanes> sequences_{};
  bool write_fails_ = false;

  mutable absl::Mutex mu_;
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Not yet told to the controller.
  uint64_t untold_requests_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t untold_spans_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kindling::agent
