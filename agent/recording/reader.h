#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/capture/events.h"
#include "agent/identity/process_facts.h"
#include "agent/recording/writer.h"

namespace kindling::agent {

// Plays a recording into an EventSink and answers questions about processes as they were answered
// then.
//
// Threads: one at a time.
// Failure: a damaged or cut file gives an error after everything before the damage was played.
// Limits:  one frame at a time in memory, plus the process answers of one event.
class RecordingReader final : public ProcessReader {
 public:
  static absl::StatusOr<std::unique_ptr<RecordingReader>> Open(const std::string& path);
  ~RecordingReader() override;

  const RecordingHeader& header() const { return header_; }

  // Moves every wall-clock time by this much, so that a recording appears as if made now.
  void ShiftWall(int64_t ns) { wall_shift_ns_ = ns; }

  // Gives the next event to `sink`; false at the end of the recording.
  absl::StatusOr<bool> PlayNext(EventSink& sink);

  ProcessFacts Read(uint32_t tgid) override;

 private:
  struct Input;
  RecordingReader();

  std::unique_ptr<Input> input_;
  RecordingHeader header_;
  int64_t wall_shift_ns_ = 0;
  // Answers recorded before the event that asked for them, by process, oldest first.
  absl::flat_hash_map<uint32_t, std::deque<ProcessFacts>> answers_;
};

}  // namespace kindling::agent
