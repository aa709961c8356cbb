#pragma once

#include <google/protobuf/any.pb.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace google::protobuf {
class Message;
}

namespace kindling::agent {

// A running task's way to whoever asked for it. Threads: the task's own.
class TaskContext {
 public:
  virtual ~TaskContext() = default;
  // Sends it, at most 4 MiB. Blocks while nobody takes it; false: nobody wants more, the task
  // should end.
  virtual bool Emit(const google::protobuf::Message& output) = 0;
  // Whether the task should finish: it was asked to, its time is over, or nobody reads on.
  virtual bool stopped() const = 0;
  // Waits for that, at most so long; whether it is so.
  virtual bool WaitUntilStopped(absl::Duration timeout) = 0;
};

// What an agent does for a while at an operator's wish. Has a thread of its own.
class Task {
 public:
  virtual ~Task() = default;
  // Returns soon after context.stopped(), with how it went.
  virtual absl::Status Run(TaskContext& context) = 0;
};

struct TaskKind {
  // The full name of the message that asks for it.
  std::string name;
  // As the configuration calls it, to have none of it.
  std::string word;
  // From such a message; an error is what the operator is told.
  std::function<absl::StatusOr<std::unique_ptr<Task>>(const google::protobuf::Any&)> make;
};

// A kind whose message is `Request`: `make` has it parsed.
template <typename Request, typename Make>
TaskKind MakeTaskKind(std::string word, Make make) {
  return {
      .name = std::string(Request::descriptor()->full_name()),
      .word = std::move(word),
      .make = [make](const google::protobuf::Any& any) -> absl::StatusOr<std::unique_ptr<Task>> {
        Request request;
        if (!any.UnpackTo(&request)) {
          return absl::InvalidArgumentError("the task is not what it says");
        }
        return make(request);
      }};
}

}  // namespace kindling::agent
