#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace kindling::agent {

// A child process in a network namespace of its own, with loopback up, that runs `body` in two
// steps: before and after Go(). The only thing the kernel tests ever capture.
class Workload {
 public:
  // What the body uses to wait for Go(): everything before is there when the agent starts.
  class Gate {
   public:
    explicit Gate(int ready_fd, int go_fd) : ready_fd_(ready_fd), go_fd_(go_fd) {}
    void Wait() const;

   private:
    int ready_fd_;
    int go_fd_;
  };

  // Forks. The child's exit code is 0 if `body` returned true.
  explicit Workload(const std::function<bool(const Gate&)>& body);
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  ~Workload();  // kills the child if it still runs

  pid_t pid() const { return pid_; }
  std::string NetnsPath() const;
  // Blocks until the body waits at its gate.
  void AwaitReady() const;
  void Go() const;
  // True once the child has ended.
  bool Ended();
  // Valid once it has ended.
  int exit_code() const { return exit_code_; }

 private:
  pid_t pid_ = -1;
  int ready_fd_ = -1;
  int go_fd_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

}  // namespace kindling::agent
