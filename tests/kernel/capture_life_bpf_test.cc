// What was there before the agent, failed connects, processes, and what is out of scope.
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "tests/kernel/capture_fixture.h"

namespace kindling::agent {
namespace {

using model::Side;
using model::Transport;
using ::testing::SizeIs;

class LifeTest : public CaptureTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, LifeTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

bool Exchange(int client, int server, std::string_view request = "ping",
              std::string_view response = "pong") {
  char bytes[4096];
  return send(client, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()) &&
         recv(server, bytes, sizeof(bytes), 0) == static_cast<ssize_t>(request.size()) &&
         send(server, response.data(), response.size(), 0) ==
             static_cast<ssize_t>(response.size()) &&
         recv(client, bytes, sizeof(bytes), 0) == static_cast<ssize_t>(response.size());
}

TEST_P(LifeTest, FindsWhatWasOpenBefore) {
  struct Facts {
    uint16_t tcp_port = 0, idle_port = 0, udp_port = 0;
  };
  auto* facts = Shared<Facts>();
  const std::string path = "/tmp/kindling_found_test." + std::to_string(getpid());
  Workload workload([&](const Workload::Gate& gate) {
    const StreamPair tcp = ConnectedPair(AF_INET6);
    const StreamPair local = ConnectedPair(AF_UNIX, path);
    const int idle = Listen(AF_INET);
    const int udp = BoundUdp(AF_INET);
    facts->tcp_port = PortOf(tcp.server);
    facts->idle_port = PortOf(idle);
    facts->udp_port = PortOf(udp);
    if (!Exchange(tcp.client, tcp.server, "before", "before too")) return false;
    gate.Wait();
    if (!Exchange(tcp.client, tcp.server) || !Exchange(local.client, local.server)) return false;
    // The old listener's children are known as accepted ones.
    const int client = Connect(AF_INET6, tcp.listener);
    return Exchange(client, accept(tcp.listener, nullptr, nullptr));
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  std::vector<const ConnOpen*> found;
  for (const ConnOpen& open : recorder_.opens) {
    if (open.origin == ConnOrigin::kFound) found.push_back(&open);
  }
  ASSERT_FALSE(recorder_.tasks.empty());
  EXPECT_EQ(recorder_.tasks[0].kind, TaskEventKind::kFound);
  EXPECT_EQ(recorder_.tasks[0].tgid, workload.pid());
  EXPECT_EQ(recorder_.tasks[0].parent_tgid, getpid());
  EXPECT_NE(recorder_.tasks[0].start_boot_ns, 0);
  EXPECT_EQ(std::ranges::count(recorder_.tasks, TaskEventKind::kFound, &TaskEvent::kind), 1);
  ASSERT_THAT(found, SizeIs(5));  // both ends of TCP and of AF_UNIX, and the UDP socket
  for (const ConnOpen* open : found) {
    SCOPED_TRACE(Name(open->transport));
    EXPECT_EQ(open->tgid, workload.pid());
    if (open->transport == Transport::kUdp) {
      EXPECT_EQ(open->local_port, facts->udp_port);
      continue;
    }
    EXPECT_NE(open->side, Side::kUnknown);
    if (open->transport == Transport::kUnix) {
      EXPECT_EQ(open->unix_path, path);
    }
    if (open->transport == Transport::kTcp) {
      EXPECT_EQ(open->side == Side::kServer ? open->local_port : open->remote_port,
                facts->tcp_port);
      EXPECT_EQ(ToString(open->remote), "::1");
    }
    const auto events = recorder_.DataOf(open->id);
    ASSERT_THAT(events, SizeIs(2));
    EXPECT_EQ(events[0].payload, "ping");
    EXPECT_EQ(events[0].position, 0);
    EXPECT_EQ(events[1].payload, "pong");
  }
  std::vector<uint16_t> ports;
  bool has_path = false;
  for (const ListenEvent& listen : recorder_.listens) {
    EXPECT_EQ(listen.tgid, workload.pid());
    if (listen.transport == Transport::kTcp) ports.push_back(listen.port);
    has_path |= listen.unix_path == path;
  }
  EXPECT_THAT(ports, ::testing::UnorderedElementsAre(facts->tcp_port, facts->idle_port));
  EXPECT_TRUE(has_path);
  // A second pair, made after the start.
  EXPECT_EQ(std::ranges::count(recorder_.opens, ConnOrigin::kConnect, &ConnOpen::origin), 1);
  EXPECT_EQ(std::ranges::count(recorder_.opens, ConnOrigin::kAccept, &ConnOpen::origin), 1);
  unlink(path.c_str());
}

TEST_P(LifeTest, RefusedConnect) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    close(listener);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, reinterpret_cast<sockaddr*>(&address), size) < 0 && errno == ECONNREFUSED;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  EXPECT_THAT(recorder_.opens, SizeIs(0));
  ASSERT_THAT(recorder_.failures, SizeIs(1));
  const ConnectFailure& failure = recorder_.failures[0];
  EXPECT_EQ(failure.error, ECONNREFUSED);
  EXPECT_EQ(ToString(failure.remote), "127.0.0.1");
  ASSERT_THAT(recorder_.listens, SizeIs(1));
  EXPECT_EQ(failure.remote_port, recorder_.listens[0].port);
  EXPECT_EQ(failure.tgid, workload.pid());
  EXPECT_GT(failure.duration_ns, 0);
}

// Forks, runs `body` in the child and waits for its end.
template <typename Body>
pid_t RunChild(Body body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  waitpid(pid, nullptr, 0);
  return pid;
}

TEST_P(LifeTest, StartsEndsAndCrashesOfProcesses) {
  struct Facts {
    pid_t exec = 0, exit = 0, crash = 0;
  };
  auto* facts = Shared<Facts>();
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    facts->exec = RunChild([] {
      close(STDOUT_FILENO);
      execl("/proc/self/exe", "self", "--gtest_list_tests", nullptr);
    });
    facts->exit = RunChild([] { _exit(3); });
    facts->crash = RunChild([] {
      const rlimit none = {0, 0};
      setrlimit(RLIMIT_CORE, &none);
      raise(SIGSEGV);
    });
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  const auto of = [&](pid_t pid, TaskEventKind kind) -> const TaskEvent* {
    for (const TaskEvent& task : recorder_.tasks) {
      if (task.tgid == static_cast<uint32_t>(pid) && task.kind == kind) return &task;
    }
    return nullptr;
  };
  for (pid_t pid : {facts->exec, facts->exit, facts->crash}) {
    const TaskEvent* started = of(pid, TaskEventKind::kFork);
    ASSERT_NE(started, nullptr);
    EXPECT_EQ(started->parent_tgid, workload.pid());
    ASSERT_NE(of(pid, TaskEventKind::kExit), nullptr);
    EXPECT_EQ(of(pid, TaskEventKind::kExit)->start_boot_ns, started->start_boot_ns);
    EXPECT_NE(started->start_boot_ns, 0);
  }
  ASSERT_NE(of(facts->exec, TaskEventKind::kExec), nullptr);
  EXPECT_NE(of(facts->exec, TaskEventKind::kExec)->comm, "");
  const int status = of(facts->exit, TaskEventKind::kExit)->wait_status;
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  const int crash = of(facts->crash, TaskEventKind::kExit)->wait_status;
  EXPECT_TRUE(WIFSIGNALED(crash));
  EXPECT_EQ(WTERMSIG(crash), SIGSEGV);
}

// A workload that exchanges `request` over TCP, AF_UNIX and UDP.
bool TalkOverAll(const std::string& path, std::string_view request) {
  const StreamPair tcp = ConnectedPair(AF_INET);
  const StreamPair local = ConnectedPair(AF_UNIX, path);
  unlink(path.c_str());  // the sockets keep the name
  const int udp = BoundUdp(AF_INET);
  char bytes[64];
  return Exchange(tcp.client, tcp.server, request) &&
         Exchange(local.client, local.server, request) &&
         send(ConnectedUdp(AF_INET, udp), request.data(), request.size(), 0) > 0 &&
         recv(udp, bytes, sizeof(bytes), 0) > 0;
}

TEST_P(LifeTest, OtherNetworkNamespacesAreNotCaptured) {
  const std::string path = "/tmp/kindling_scope_test." + std::to_string(getpid());
  Workload stranger([&](const Workload::Gate& gate) {
    gate.Wait();
    RunChild([] { _exit(0); });
    return TalkOverAll(path + ".2", "foreign");
  });
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    return TalkOverAll(path, "ours");
  });
  stranger.AwaitReady();
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  stranger.Go();
  ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return stranger.Ended(); }));
  ASSERT_EQ(stranger.exit_code(), 0);
  for (int i = 0; i < 3; ++i) source_->Drain(recorder_);
  EXPECT_THAT(recorder_.opens, SizeIs(6));
  EXPECT_THAT(recorder_.data, SizeIs(10));
  for (const RecordedData& event : recorder_.data) EXPECT_NE(event.payload, "foreign");
  for (const TaskEvent& task : recorder_.tasks) EXPECT_EQ(task.tgid, workload.pid());
}

TEST_P(LifeTest, ScopeByPidFollowsDescendants) {
  const std::string path = "/tmp/kindling_scope_test." + std::to_string(getpid());
  auto* child = Shared<pid_t>();
  Workload stranger([&](const Workload::Gate& gate) {
    gate.Wait();
    return TalkOverAll(path + ".2", "foreign");
  });
  Workload workload([&](const Workload::Gate& gate) {
    // The child was there before; its own child comes after.
    *child = fork();
    if (*child == 0) {
      gate.Wait();
      int status = 0;
      const pid_t grandchild = fork();
      if (grandchild == 0) _exit(TalkOverAll(path, "ours") ? 0 : 1);
      waitpid(grandchild, &status, 0);
      _exit(status == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(*child, &status, 0);
    return status == 0;
  });
  stranger.AwaitReady();
  KernelSourceOptions options = Options();
  options.scope.pids = {static_cast<uint32_t>(workload.pid())};
  ASSERT_NO_FATAL_FAILURE(Run(workload, options));
  stranger.Go();
  ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return stranger.Ended(); }));
  for (int i = 0; i < 3; ++i) source_->Drain(recorder_);
  EXPECT_THAT(recorder_.opens, SizeIs(6));
  EXPECT_NE(OpenOf(Side::kServer, Transport::kTcp), nullptr);
  EXPECT_THAT(recorder_.data, SizeIs(10));
  for (const RecordedData& event : recorder_.data) EXPECT_NE(event.payload, "foreign");
}

TEST_P(LifeTest, ScopeByCgroup) {
  const std::string mount = CgroupMount();
  ASSERT_NE(mount, "") << "this test needs a version 2 cgroup mount";
  const std::string cgroup = mount + "/kindling_test_" + std::to_string(getpid());
  const std::string inner = cgroup + "/inner";
  ASSERT_EQ(mkdir(cgroup.c_str(), 0755), 0);
  ASSERT_EQ(mkdir(inner.c_str(), 0755), 0);
  const std::string path = "/tmp/kindling_scope_test." + std::to_string(getpid());
  {
    const auto enter = [](const std::string& directory) {
      const int fd = open((directory + "/cgroup.procs").c_str(), O_WRONLY);
      return write(fd, "0", 1) == 1;
    };
    Workload workload([&](const Workload::Gate& gate) {
      if (!enter(inner)) return false;
      const StreamPair before = ConnectedPair(AF_INET);
      gate.Wait();
      if (!enter(mount)) return false;
      if (!TalkOverAll(path, "foreign") || !enter(inner)) return false;
      return TalkOverAll(path, "ours") && close(before.client) == 0;
    });
    KernelSourceOptions options = Options();
    options.scope.cgroups = {cgroup};
    ASSERT_NO_FATAL_FAILURE(Run(workload, options));
    EXPECT_THAT(recorder_.data, SizeIs(10));
    for (const RecordedData& event : recorder_.data) EXPECT_NE(event.payload, "foreign");
    EXPECT_EQ(std::ranges::count(recorder_.opens, ConnOrigin::kFound, &ConnOpen::origin), 2);
  }
  EXPECT_EQ(rmdir(inner.c_str()), 0);
  EXPECT_EQ(rmdir(cgroup.c_str()), 0);
}

}  // namespace
}  // namespace kindling::agent
