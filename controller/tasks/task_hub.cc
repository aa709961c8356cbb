#include "controller/tasks/task_hub.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling::controller {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("the controller is shutting down"); }

// The full name of the message in it.
std::string NameOf(const google::protobuf::Any& any) {
  return any.type_url().substr(any.type_url().rfind('/') + 1);
}

}  // namespace

TaskRun::~TaskRun() {
  queue_->GiveUp();
  hub_.Forget(*this);
}

absl::StatusOr<TaskHub::Lease> TaskHub::Attend(Attendant attendant, Calls calls) {
  std::function<void(absl::Status)> end_earlier;
  Lease lease = 0;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return ShuttingDown();
    const auto found = attending_.find(attendant.agent_id);
    if (found == attending_.end() && attending_.size() >= kMaxAttendants) {
      return absl::ResourceExhaustedError("too many agents on this controller");
    }
    Attending& attending = attending_[attendant.agent_id];
    end_earlier = std::move(attending.calls.end);
    lease = ++last_lease_;
    attending = {.attendant = std::move(attendant), .calls = std::move(calls), .lease = lease};
  }
  if (end_earlier) end_earlier(absl::AbortedError("a later call of this agent has taken over"));
  return lease;
}

void TaskHub::Leave(const std::string& agent_id, Lease lease) {
  absl::MutexLock lock(&mu_);
  const auto found = attending_.find(agent_id);
  if (found != attending_.end() && found->second.lease == lease) attending_.erase(found);
}

absl::StatusOr<TaskHub::Place> TaskHub::Find(uint64_t task_id, const std::string& agent_id) const {
  absl::MutexLock lock(&mu_);
  const auto found = tasks_.find(task_id);
  if (found == tasks_.end() || found->second.agent_id != agent_id) {
    return absl::NotFoundError("nobody waits for this task");
  }
  return found->second.place;
}

std::vector<TaskHub::Attendant> TaskHub::attendants() const {
  absl::MutexLock lock(&mu_);
  std::vector<Attendant> out;
  for (const auto& [id, attending] : attending_) out.push_back(attending.attendant);
  return out;
}

absl::StatusOr<std::unique_ptr<TaskRun>> TaskHub::Start(const std::vector<Assignment>& assignments,
                                                        absl::Duration limit) {
  const auto queue = std::make_shared<TaskQueue>(assignments.size(), absl::Now() + kOpenWithin);
  std::unique_ptr<TaskRun> run;
  std::vector<std::pair<std::function<void(v1::StartTask)>, v1::StartTask>> starts;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return ShuttingDown();
    if (runs_ >= kMaxRuns) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%d tasks run already: wait until one has ended", kMaxRuns));
    }
    ++runs_;
    run = std::unique_ptr<TaskRun>(new TaskRun(*this, queue));
    for (size_t i = 0; i < assignments.size(); ++i) {
      const auto& [agent_id, task] = assignments[i];
      const auto found = attending_.find(agent_id);
      if (found == attending_.end()) {
        queue->End(i, absl::UnavailableError("the agent is not connected"));
        continue;
      }
      if (!std::ranges::count(found->second.attendant.tasks, NameOf(task))) {
        queue->End(i, absl::UnimplementedError(
                          "the agent does not do this: its version or its configuration"));
        continue;
      }
      run->ids_.push_back(NewTask(agent_id, {.queue = queue, .agent = i}));
      v1::StartTask start;
      start.set_task_id(run->ids_.back());
      *start.mutable_task() = task;
      start.set_limit_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(limit)));
      starts.emplace_back(found->second.calls.start, std::move(start));
    }
  }
  for (auto& [call, start] : starts) call(std::move(start));
  return run;
}

uint64_t TaskHub::NewTask(const std::string& agent_id, Place place) {
  uint64_t id = 0;
  while (id == 0 || tasks_.contains(id)) id = uint64_t{random_()} << 32 | random_();
  tasks_[id] = {.agent_id = agent_id, .place = std::move(place)};
  return id;
}

void TaskHub::Forget(const TaskRun& run) {
  absl::MutexLock lock(&mu_);
  for (const uint64_t id : run.ids_) tasks_.erase(id);
  --runs_;
}

void TaskHub::Close() {
  std::map<std::string, Attending> attending;
  std::map<uint64_t, Task> tasks;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    attending = attending_;
    tasks = tasks_;
  }
  for (const auto& [id, task] : tasks) task.place.queue->GiveUp();
  for (const auto& [id, agent] : attending) agent.calls.end(ShuttingDown());
}

}  // namespace kindling::controller
