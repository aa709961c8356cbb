#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/kernel_source.h"
#include "tests/kernel/recorder.h"
#include "tests/kernel/socket_calls.h"
#include "tests/kernel/workload.h"

namespace kindling::agent {

// The paths that this kernel has: the tracepoints came with 6.3.
inline std::vector<std::string> HooksHere() {
  if (ParseKernelVersion(KernelRelease()) < KernelVersion{6, 3}) return {"sys_exit"};
  return {"socket_tracepoints", "sys_exit"};
}

// Memory that the workload's process shares with the test.
template <typename T>
T* Shared() {
  void* memory =
      mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (memory) T();
}

// Content that differs at every place and with every message.
inline std::string Message(int number, size_t size) {
  std::string text = "message " + std::to_string(number) + " ";
  while (text.size() < size) text += static_cast<char>('a' + (text.size() * 7 + number) % 26);
  text.resize(size);
  return text;
}

class CaptureTest : public ::testing::TestWithParam<std::string> {
 protected:
  KernelSourceOptions Options() const {
    KernelSourceOptions options;
    options.hook = GetParam();
    options.payload_bytes = 4096;
    options.data_ring_bytes = 4 << 20;
    return options;
  }

  // Runs the workload under a capture scoped to its network namespace, to its end.
  void Run(Workload& workload, KernelSourceOptions options) {
    workload.AwaitReady();
    if (options.scope.empty()) options.scope.network_namespaces = {workload.NetnsPath()};
    auto source = KernelSource::Open(options);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    ASSERT_EQ(source_->hook(), GetParam());
    const absl::Status started = source_->Start(recorder_);
    ASSERT_TRUE(started.ok()) << started;
    workload.Go();
    ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return workload.Ended(); }));
    ASSERT_EQ(workload.exit_code(), 0);
    for (int i = 0; i < 4; ++i) source_->Drain(recorder_);
  }

  const ConnOpen* OpenOf(model::Side side, model::Transport transport) const {
    for (const ConnOpen& open : recorder_.opens) {
      if (open.side == side && open.transport == transport) return &open;
    }
    return nullptr;
  }

  const ConnCounters* EndOf(ConnId id) const {
    for (const ConnCounters& end : recorder_.ends) {
      if (end.id == id) return &end;
    }
    return nullptr;
  }

  Recorder recorder_;
  std::unique_ptr<KernelSource> source_;
};

}  // namespace kindling::agent
