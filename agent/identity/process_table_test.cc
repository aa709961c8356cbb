#include "agent/identity/process_table.h"

#include <gtest/gtest.h>

#include <map>

namespace kindling::agent {
namespace {

class FakeReader final : public ProcessReader {
 public:
  ProcessFacts Read(uint32_t tgid) override {
    ++reads;
    const auto found = processes.find(tgid);
    return found == processes.end() ? ProcessFacts{} : found->second;
  }
  std::map<uint32_t, ProcessFacts> processes;
  int reads = 0;
};

ProcessFacts Program(const std::string& path, uint32_t parent = 1) {
  return {.found = true, .parent_tgid = parent, .executable = path};
}

class ProcessTableTest : public testing::Test {
 protected:
  void Listen(uint32_t tgid, uint16_t port) {
    table.OnListen({.transport = model::Transport::kTcp, .port = port, .tgid = tgid});
  }
  FakeReader reader;
  ProcessTable table{{}, reader, ""};
};

TEST_F(ProcessTableTest, WorkersTakeTheirMastersPort) {
  reader.processes[10] = Program("/usr/sbin/nginx");
  reader.processes[11] = Program("/usr/sbin/nginx", 10);
  EXPECT_EQ(table.Get(11).workload.name, "nginx");
  Listen(10, 443);
  Listen(10, 80);
  EXPECT_EQ(table.Get(10).workload.name, "nginx:80");
  EXPECT_EQ(table.Get(11).workload.name, "nginx:80");
  reader.processes[12] = Program("/usr/sbin/nginx", 10);
  EXPECT_EQ(table.Get(12).workload.name, "nginx:80");
}

TEST_F(ProcessTableTest, ExecMakesANewProcessOfAnOldPid) {
  reader.processes[10] = Program("/usr/bin/bash");
  EXPECT_EQ(table.Get(10).workload.name, "bash");
  reader.processes[10] = Program("/usr/bin/curl");
  table.OnTask({.kind = TaskEventKind::kExec, .tgid = 10});
  EXPECT_EQ(table.Get(10).workload.name, "curl");
}

TEST_F(ProcessTableTest, LaunchersThatAreReadAsTheLastOfThemAreOneStart) {
  reader.processes[10] = Program("/srv/shop");
  const auto exec = [this](int64_t boot_ns) {
    return table.OnTask({.boot_ns = boot_ns, .kind = TaskEventKind::kExec, .tgid = 10});
  };
  EXPECT_TRUE(exec(1'000'000));
  EXPECT_FALSE(exec(2'000'000));
  reader.processes[10] = Program("/srv/other");
  EXPECT_TRUE(exec(3'000'000));
  EXPECT_TRUE(exec(5'000'000'000));  // it started itself again
}

TEST_F(ProcessTableTest, AShortLivedProcessIsNamedByTheKernel) {
  table.OnTask({.kind = TaskEventKind::kExec, .tgid = 77, .comm = "dig"});
  EXPECT_EQ(table.Get(77).workload.name, "dig");
}

TEST_F(ProcessTableTest, AShortLivedForkIsNamedAsItsParent) {
  reader.processes[10] = Program("/usr/sbin/dnsmasq");
  Listen(10, 53);
  table.OnTask({.kind = TaskEventKind::kFork, .tgid = 11, .parent_tgid = 10});
  EXPECT_EQ(table.Get(11).workload.name, "dnsmasq:53");
  // Nor does one that ends while it is read say more.
  table.OnTask({.kind = TaskEventKind::kFork, .tgid = 12, .parent_tgid = 10});
  reader.processes[12] = {.found = true, .parent_tgid = 10};
  EXPECT_EQ(table.Get(12).workload.name, "dnsmasq:53");
  // Of one whose parent is not known there is nothing to say.
  table.OnTask({.kind = TaskEventKind::kFork, .tgid = 14, .parent_tgid = 13});
  EXPECT_EQ(table.Get(14).workload.name, "unknown");
}

TEST_F(ProcessTableTest, AForkThatLivesIsReadItself) {
  reader.processes[10] = Program("/bin/sh");
  table.Get(10);
  table.OnTask({.kind = TaskEventKind::kFork, .tgid = 11, .parent_tgid = 10});
  reader.processes[11] = Program("/srv/shop", 10);  // its exec was not seen
  EXPECT_EQ(table.Get(11).workload.name, "shop");
  table.OnTask({.kind = TaskEventKind::kFork, .tgid = 11, .parent_tgid = 12});
  reader.processes[11] = Program("/usr/bin/curl", 12);  // the pid was given again
  EXPECT_EQ(table.Get(11).workload.name, "curl");
}

TEST_F(ProcessTableTest, ExitedProcessesLingerThenGo) {
  reader.processes[10] = Program("/usr/bin/curl");
  table.Get(10);
  table.OnTask({.boot_ns = 1'000'000'000, .kind = TaskEventKind::kExit, .tgid = 10});
  table.OnTick(20'000'000'000);
  EXPECT_EQ(table.size(), 1u);
  table.OnTick(60'000'000'000);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(ProcessTableTest, WhatCouldNotBeReadGoesWhenNothingAsksForItAnyMore) {
  table.OnTick(1'000'000'000);
  table.OnTask({.boot_ns = 1'000'000'000, .kind = TaskEventKind::kExec, .tgid = 77, .comm = "dig"});
  table.Get(78);  // gone before, its exit was told before or never
  table.OnTick(25'000'000'000);
  EXPECT_EQ(table.Get(77).workload.name, "dig");  // a late record
  table.OnTick(50'000'000'000);
  EXPECT_EQ(table.Get(77).workload.name, "dig");
  EXPECT_EQ(table.size(), 1u);
  table.OnTick(90'000'000'000);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(ProcessTableTest, AnExitThatWasNotToldIsFoundOut) {
  for (uint32_t tgid = 10; tgid < 110; ++tgid) {
    reader.processes[tgid] = Program("/usr/bin/curl");
    table.Get(tgid);
  }
  for (uint32_t tgid = 10; tgid < 110; tgid += 2) reader.processes.erase(tgid);
  reader.reads = 0;
  int64_t now_ns = 0;
  table.OnTick(now_ns += 5'000'000'000);
  EXPECT_EQ(reader.reads, 0);
  table.OnEventsLost();
  for (int i = 0; i < 4; ++i) table.OnTick(now_ns += 5'000'000'000);
  EXPECT_EQ(reader.reads, 100);
  EXPECT_EQ(table.Get(10).workload.name, "curl");  // it lingers
  EXPECT_EQ(table.size(), 100u);
  for (int i = 0; i < 8; ++i) table.OnTick(now_ns += 5'000'000'000);
  EXPECT_EQ(table.size(), 50u);
  EXPECT_TRUE(table.Knows(11));
}

TEST_F(ProcessTableTest, VersionGrowsWhenANameChangesNotWhenOneIsNew) {
  reader.processes[10] = Program("/srv/shop");
  table.Get(10);
  EXPECT_EQ(table.names_version(), 0u);
  table.OnServed(10, model::Transport::kTcp, 8080, "");
  EXPECT_EQ(table.names_version(), 1u);
  table.OnServed(10, model::Transport::kTcp, 9090, "");
  EXPECT_EQ(table.names_version(), 1u);
  EXPECT_EQ(table.Get(10).workload.name, "shop:8080");
}

TEST_F(ProcessTableTest, StaysBounded) {
  ProcessTable small({.max_processes = 100}, reader, "");
  for (uint32_t tgid = 2; tgid < 1000; ++tgid) small.Get(tgid);
  small.OnTick(10'000'000'000);
  EXPECT_LE(small.size(), 100u);
}

}  // namespace
}  // namespace kindling::agent
