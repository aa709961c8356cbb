// The program itself: its one line when it is up, its one line when it cannot start, its end.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "controller/testing/fake_agent.h"
#include "kindling/v1/query.grpc.pb.h"

namespace kindling::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kReady[] = "ready: listening on ";

// kindling-controller as a child process.
class Program {
 public:
  explicit Program(std::vector<std::string> args) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    args.insert(args.begin(), "kindling-controller");
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(fds[1], STDERR_FILENO);
      execv("controller/kindling-controller", argv.data());
      _exit(127);
    }
    close(fds[1]);
    stderr_ = fdopen(fds[0], "r");
  }
  ~Program() {
    if (!ended_) kill(pid_, SIGKILL);
    if (!ended_) waitpid(pid_, nullptr, 0);
    std::fclose(stderr_);
  }

  // The address in its ready line; empty when it ended without one.
  std::string AwaitReady() {
    char line[1024];
    while (std::fgets(line, sizeof(line), stderr_) != nullptr) {
      const std::string text(line);
      if (text.starts_with(kReady))
        return text.substr(sizeof(kReady) - 1, text.size() - sizeof(kReady));
      log_ += text;
    }
    return "";
  }

  void Signal(int signal) { kill(pid_, signal); }

  // Its exit code, -signal when one ended it.
  int AwaitEnd() {
    char line[1024];
    while (std::fgets(line, sizeof(line), stderr_) != nullptr) log_ += line;
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  const std::string& log() const { return log_; }

 private:
  pid_t pid_ = -1;
  FILE* stderr_ = nullptr;
  std::string log_;
  bool ended_ = false;
};

class MainTest : public ::testing::Test {
 protected:
  std::string Config(const std::string& more = "") {
    const std::string path = dir_.File("controller.yaml");
    std::ofstream(path) << "listen: 127.0.0.1:0\ndata_directory: " << dir_.File("data") << "\n"
                        << more;
    return path;
  }
  std::vector<std::string> Args(const std::string& more = "") {
    return {"--config", Config(more), "--log-level", "error"};
  }
  base::TempDir dir_;
};

TEST_F(MainTest, ASignalEndsItCleanly) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Program program(Args());
    ASSERT_NE(program.AwaitReady(), "") << program.log();
    program.Signal(signal);
    EXPECT_EQ(program.AwaitEnd(), 0) << program.log();
    EXPECT_EQ(program.log(), "");
  }
}

// Without a poller of its own (server_poller.h) each second one lies there for a tenth of one.
TEST_F(MainTest, NoQuestionWaitsForGrpcToWakeUp) {
  Program program(Args());
  const std::string address = program.AwaitReady();
  ASSERT_NE(address, "") << program.log();
  const auto stub =
      v1::QueryService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  int slow = 0;
  for (const absl::Time end = absl::Now() + absl::Seconds(5); absl::Now() < end;) {
    grpc::ClientContext context;
    v1::GetServerInfoResponse response;
    const absl::Time asked = absl::Now();
    ASSERT_TRUE(stub->GetServerInfo(&context, {}, &response).ok());
    if (absl::Now() - asked > absl::Milliseconds(60)) ++slow;
    absl::SleepFor(absl::Milliseconds(5));
  }
  // One may be the machine's.
  EXPECT_LE(slow, 1);
}

// kill -9 in the middle of ingest: what was acknowledged is there, once.
TEST_F(MainTest, WhatWasAcknowledgedOutlivesAKill) {
  constexpr uint64_t kEpoch = 3;
  uint64_t sequence = 0;
  uint64_t acked = 0;
  for (int round = 0; round < 4; ++round) {
    Program program(Args());
    const std::string address = program.AwaitReady();
    ASSERT_NE(address, "") << program.log();
    FakeAgent agent(address);
    const auto welcome = agent.Connect(FakeAgent::HelloOf("a", kEpoch));
    ASSERT_OK(welcome);
    const uint64_t durable = welcome->durable_size() == 0 ? 0 : welcome->durable(0).sequence();
    EXPECT_GE(durable, acked);
    // The agent sends again what it does not know to be durable.
    for (sequence = durable + 1; sequence <= durable + 30; ++sequence) {
      ASSERT_TRUE(agent.Send(BatchBuilder(kEpoch, sequence, 1'700'000'000'000'000'000).batch()));
      if (sequence == durable + 15) {
        ASSERT_OK(agent.AwaitAck(kEpoch, durable + 10));
      }
    }
    program.Signal(SIGKILL);
    EXPECT_EQ(program.AwaitEnd(), -SIGKILL);
    agent.AwaitAck(kEpoch, UINT64_MAX).IgnoreError();
    acked = agent.acked(kEpoch);
    EXPECT_GE(acked, durable + 10);
  }
}

TEST_F(MainTest, ATakenPortIsOneLineAndExitCodeOne) {
  Program first(Args());
  const std::string address = first.AwaitReady();
  ASSERT_NE(address, "") << first.log();
  const std::string other = dir_.File("other.yaml");
  std::ofstream(other) << "listen: " << address << "\ndata_directory: " << dir_.File("other")
                       << "\n";
  Program second({"--config", other});
  EXPECT_EQ(second.AwaitEnd(), 1);
  EXPECT_THAT(second.log(), AllOf(HasSubstr(address), HasSubstr("another program does")));
  EXPECT_EQ(std::count(second.log().begin(), second.log().end(), '\n'), 1) << second.log();
}

TEST_F(MainTest, ADamagedStoreIsOneLineAndExitCodeOne) {
  {
    Program program(Args());
    ASSERT_NE(program.AwaitReady(), "") << program.log();
    program.Signal(SIGTERM);
    ASSERT_EQ(program.AwaitEnd(), 0);
  }
  std::filesystem::remove(dir_.File("data") + "/store/CURRENT");
  Program program(Args());
  EXPECT_EQ(program.AwaitEnd(), 1);
  EXPECT_THAT(program.log(), AllOf(HasSubstr("is damaged"), HasSubstr("move it away")));
  EXPECT_EQ(std::count(program.log().begin(), program.log().end(), '\n'), 1) << program.log();
}

TEST_F(MainTest, ABadConfigurationNamesEveryFault) {
  Program program(Args("cluster: \"Not a name\"\nstorage: {max_bytes: 1}\n"));
  EXPECT_EQ(program.AwaitEnd(), 1);
  EXPECT_THAT(program.log(), AllOf(HasSubstr("controller.yaml:3"), HasSubstr("controller.yaml:4")));
}

TEST_F(MainTest, ARestoredStoreHasWhatWasThereAndAnIdOfItsOwn) {
  constexpr uint64_t kEpoch = 3;
  std::string id;
  {
    Program program(Args());
    const std::string address = program.AwaitReady();
    ASSERT_NE(address, "") << program.log();
    FakeAgent agent(address);
    const auto welcome = agent.Connect(FakeAgent::HelloOf("a", kEpoch));
    ASSERT_OK(welcome);
    id = welcome->store_id();
    ASSERT_TRUE(agent.Send(BatchBuilder(kEpoch, 1, 1'700'000'000'000'000'000).batch()));
    ASSERT_OK(agent.AwaitAck(kEpoch, 1));
    // An open store is left alone.
    Program refused({"restore", "--from", dir_.File("data/store"), "--to", dir_.File("copy")});
    EXPECT_EQ(refused.AwaitEnd(), 1);
    EXPECT_THAT(refused.log(), HasSubstr("is open"));
    program.Signal(SIGTERM);
    ASSERT_EQ(program.AwaitEnd(), 0);
  }
  Program restore({"restore", "--from", dir_.File("data/store"), "--to", dir_.File("copy")});
  EXPECT_EQ(restore.AwaitEnd(), 0) << restore.log();
  Program again({"restore", "--from", dir_.File("data/store"), "--to", dir_.File("copy")});
  EXPECT_EQ(again.AwaitEnd(), 1);
  EXPECT_THAT(again.log(), HasSubstr("move it away"));

  std::ofstream(dir_.File("copy.yaml"))
      << "listen: 127.0.0.1:0\ndata_directory: " << dir_.File("copy") << "\n";
  std::string copy_id;
  for (int start = 0; start < 2; ++start) {
    Program program({"--config", dir_.File("copy.yaml"), "--log-level", "error"});
    const std::string address = program.AwaitReady();
    ASSERT_NE(address, "") << program.log();
    FakeAgent agent(address);
    const auto welcome = agent.Connect(FakeAgent::HelloOf("a", kEpoch));
    ASSERT_OK(welcome);
    EXPECT_NE(welcome->store_id(), id);
    // It changes once.
    if (start == 1) {
      EXPECT_EQ(welcome->store_id(), copy_id);
    }
    copy_id = welcome->store_id();
    ASSERT_EQ(welcome->durable_size(), 1);
    EXPECT_EQ(welcome->durable(0).sequence(), 1);
    program.Signal(SIGTERM);
    ASSERT_EQ(program.AwaitEnd(), 0);
  }
}

TEST_F(MainTest, RestoreSaysWhatItNeeds) {
  Program no_source({"restore"});
  EXPECT_EQ(no_source.AwaitEnd(), 2);
  EXPECT_THAT(no_source.log(), HasSubstr("restore needs --from"));
  Program no_store({"restore", "--from", dir_.path(), "--config", Config()});
  EXPECT_EQ(no_store.AwaitEnd(), 1);
  EXPECT_THAT(no_store.log(), HasSubstr("is no store"));
  Program listening({"restore", "--from", dir_.path(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(listening.AwaitEnd(), 2);
}

TEST_F(MainTest, AnUnknownFlagIsExitCodeTwo) {
  Program program({"--no-such-flag"});
  EXPECT_EQ(program.AwaitEnd(), 2);
  EXPECT_THAT(program.log(), HasSubstr("--no-such-flag"));
}

}  // namespace
}  // namespace kindling::controller
