#include "tests/kernel/workload.h"

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kindling::agent {
namespace {

bool EnterOwnNetwork() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool is_up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return is_up;
}

void Check(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::abort();
}

}  // namespace

void Workload::Gate::Wait() const {
  char byte = 'r';
  Check(write(ready_fd_, &byte, 1) == 1, "tell ready");
  Check(read(go_fd_, &byte, 1) == 1, "wait for go");
}

Workload::Workload(const std::function<bool(const Gate&)>& body) {
  int ready[2], go[2];
  Check(pipe(ready) == 0 && pipe(go) == 0, "pipe");
  pid_ = fork();
  Check(pid_ >= 0, "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ready[0]);
    close(go[1]);
    if (!EnterOwnNetwork()) {
      std::perror("a network namespace of the test's own");
      _exit(2);
    }
    const bool ok = body(Gate(ready[1], go[0]));
    _exit(ok ? 0 : 1);
  }
  close(ready[1]);
  close(go[0]);
  ready_fd_ = ready[0];
  go_fd_ = go[1];
}

Workload::~Workload() {
  if (!Ended()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(ready_fd_);
  close(go_fd_);
}

std::string Workload::NetnsPath() const { return "/proc/" + std::to_string(pid_) + "/ns/net"; }

void Workload::AwaitReady() const {
  char byte = 0;
  Check(read(ready_fd_, &byte, 1) == 1, "the workload did not get ready");
}

void Workload::Go() const { Check(write(go_fd_, "g", 1) == 1, "go"); }

bool Workload::Ended() {
  if (ended_) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  ended_ = true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

}  // namespace kindling::agent
