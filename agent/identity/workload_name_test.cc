#include "agent/identity/workload_name.h"

#include <gtest/gtest.h>

#include "agent/identity/procfs_reader.h"

namespace kindling::agent {
namespace {

constexpr char kId[] = "4f5a0c1b2d3e4f5a0c1b2d3e4f5a0c1b2d3e4f5a0c1b2d3e4f5a0c1b2d3e4f5a";

ProcessFacts Process(std::string executable, std::vector<std::string> arguments = {}) {
  return {.found = true, .executable = std::move(executable), .arguments = std::move(arguments)};
}

TEST(WorkloadName, ContainerThenUnitThenProgramAndPort) {
  ProcessFacts facts = Process("/usr/sbin/nginx");
  EXPECT_EQ(NameWorkload(facts, {.tcp_port = 80}, ""), (WorkloadName{"nginx:80", "process"}));
  facts.cgroup = "/system.slice/nginx.service";
  EXPECT_EQ(NameWorkload(facts, {.tcp_port = 80}, ""), (WorkloadName{"nginx", "unit"}));
  facts.cgroup = std::string("/system.slice/docker-") + kId + ".scope";
  EXPECT_EQ(NameWorkload(facts, {.tcp_port = 80}, ""),
            (WorkloadName{"nginx/4f5a0c1b2d3e", "container"}));
}

TEST(WorkloadName, WhatTheAgentItselfIsInTellsNothingApart) {
  ProcessFacts facts = Process("/usr/bin/redis-server");
  facts.cgroup = "/system.slice/runner.service";
  EXPECT_EQ(NameWorkload(facts, {.tcp_port = 6379}, "/system.slice/runner.service").name,
            "redis-server:6379");
  facts.cgroup = std::string("/docker/") + kId;
  EXPECT_EQ(NameWorkload(facts, {}, std::string("/docker/") + kId).name, "redis-server");
}

TEST(WorkloadName, ScriptsAreNamedByScript) {
  EXPECT_EQ(
      ProgramName(Process("/usr/bin/python3.11", {"python3", "-u", "/srv/shop.py", "--port", "1"})),
      "shop");
  EXPECT_EQ(ProgramName(Process("/usr/bin/python3.11", {"python3", "-m", "http.server"})),
            "http.server");
  EXPECT_EQ(
      ProgramName(Process("/usr/bin/java", {"java", "-Xmx1g", "-cp", "x", "-jar", "/a/app.jar"})),
      "app");
  EXPECT_EQ(ProgramName(Process("/usr/bin/bash", {"bash", "-c", "secret words"})), "bash");
  EXPECT_EQ(ProgramName(Process("/usr/bin/shuf", {"shuf", "list"})), "shuf");
  EXPECT_EQ(ProgramName(Process("/opt/x/server (deleted)")), "server");
  EXPECT_EQ(ProgramName({.comm = "short"}), "short");
  EXPECT_EQ(ProgramName({}), "unknown");
}

TEST(WorkloadName, OneFileUnderSeveralNames) {
  ProcessFacts facts = Process("/usr/bin/redis-check-rdb", {"/usr/bin/redis-server *:6379"});
  facts.comm = "redis-server";
  EXPECT_EQ(ProgramName(facts), "redis-server");
  facts.comm = "worker-3";  // a thread's name is not the program's
  EXPECT_EQ(ProgramName(facts), "redis-check-rdb");
}

TEST(WorkloadName, ServedAddressInOrderOfUse) {
  const ProcessFacts facts = Process("/usr/sbin/mariadbd");
  EXPECT_EQ(NameWorkload(facts, {.tcp_port = 3306, .unix_path = "/run/x.sock"}, "").name,
            "mariadbd:3306");
  EXPECT_EQ(NameWorkload(facts, {.unix_path = "/run/x.sock"}, "").name, "mariadbd:/run/x.sock");
  EXPECT_EQ(NameWorkload(facts, {.udp_port = 53}, "").name, "mariadbd:53");
  EXPECT_EQ(NameWorkload(facts, {}, "").name, "mariadbd");
}

TEST(WorkloadName, UnitsAndContainersInCgroupPaths) {
  EXPECT_EQ(UnitOf("/system.slice/a.service/sub"), "a");
  EXPECT_EQ(UnitOf("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope"), "");
  EXPECT_EQ(UnitOf("/user.slice/user-1000.slice/user@1000.service/app.slice/db.service"), "db");
  EXPECT_EQ(UnitOf("/"), "");
  EXPECT_EQ(UnitOf(".service"), "");
  EXPECT_EQ(ContainerIdOf(std::string("/kubepods/pod1/cri-containerd-") + kId + ".scope"), kId);
  EXPECT_EQ(ContainerIdOf(std::string("/x/") + kId + "ab"), "");
}

TEST(ProcfsReader, ReadsItself) {
  ProcfsReader reader;
  const ProcessFacts facts = reader.Read(static_cast<uint32_t>(getpid()));
  EXPECT_TRUE(facts.found);
  EXPECT_EQ(facts.parent_tgid, static_cast<uint32_t>(getppid()));
  EXPECT_NE(facts.executable.find("workload_name_test"), std::string::npos);
  ASSERT_FALSE(facts.arguments.empty());
  EXPECT_GT(facts.start_ticks, 0u);
  EXPECT_FALSE(reader.Read(4194305).found);  // above PID_MAX_LIMIT
}

TEST(ProcfsReader, PrefersTheUnifiedHierarchy) {
  EXPECT_EQ(CgroupOf("12:cpu:/x\n1:name=systemd:/s\n0::/u\n"), "/u");
  EXPECT_EQ(CgroupOf("1:name=systemd:/system.slice/a.service\n0::/\n"), "/system.slice/a.service");
  EXPECT_EQ(CgroupOf("garbage"), "");
}

}  // namespace
}  // namespace kindling::agent
