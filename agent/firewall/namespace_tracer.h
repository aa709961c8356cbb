#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/firewall/trace_message.h"
#include "kindling/v1/firewall.pb.h"

namespace kindling::agent {

// Marks packets in one network namespace and hears what the kernel says of them; the mark goes with
// the object.
//
// Threads: one, which was in the namespace at Open() and may be anywhere after.
// Failure: messages that found no room are counted in lost().
class NamespaceTracer {
 public:
  // In the namespace of the calling thread. `table`: a name that nobody else uses.
  static absl::StatusOr<std::unique_ptr<NamespaceTracer>> Open(const v1::PacketSelection& selection,
                                                               const std::string& table);
  ~NamespaceTracer();

  int fd() const;
  // Gives what has come; does not wait.
  void Read(const std::function<void(const TraceMessage&)>& visit);
  // As nft lists it; empty: there is no such rule (any more).
  std::string RuleText(const v1::RuleStep& step);
  // "eth0"; empty for 0 and for what is gone.
  std::string DeviceName(uint32_t index);
  uint64_t lost() const { return lost_; }

 private:
  struct Rep;
  explicit NamespaceTracer(std::unique_ptr<Rep> rep);

  using Table = std::pair<std::string, std::string>;  // family, name
  struct Listed {
    std::map<uint64_t, std::string> rules;
    absl::Time at;
  };

  const std::unique_ptr<Rep> rep_;
  std::map<Table, Listed> tables_;
  uint64_t lost_ = 0;
};

}  // namespace kindling::agent
