#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/yaml_tree.h"

namespace google::protobuf {
class Message;
}

namespace kindling::base {

// The faults of one configuration file. A field is named by its path: "storage.max_bytes",
// "scope.pids[0]", "slow_ms.http".
class ConfigFaults {
 public:
  // Reports a fault on the line of `field`; where the file does not have it, on that of what would
  // hold it. A field that has a fault already, or is inside one that has, gets no second one.
  void Add(std::string_view field, std::string_view what);

  bool empty() const { return faults_.empty(); }

 private:
  friend class YamlBinder;
  friend absl::Status ParseYamlConfig(std::string_view text, std::string_view name,
                                      google::protobuf::Message* out,
                                      const std::function<void(ConfigFaults&)>& check);

  std::map<std::string, int, std::less<>> lines_;  // field path -> its line
  std::set<std::string, std::less<>> faulted_;     // field paths that have a fault
  std::vector<YamlFault> faults_;
};

// Reads a YAML file into any message. Keys are the proto's field names; a key with no value leaves
// the default.
//
// `check` looks for what the types cannot say (ranges, required fields), adds its faults, and may
// fill in defaults; it runs even when other faults were found, so that one run names them all.
//
// Failure: every fault in one message, one a line, each "path:line: what". `*out` is then
//          unspecified.
// Limits:  files up to kMaxConfigBytes; see yaml_tree.h for nesting and aliases.
inline constexpr size_t kMaxConfigBytes = 256 << 10;
absl::Status LoadYamlConfig(const std::string& path, google::protobuf::Message* out,
                            const std::function<void(ConfigFaults&)>& check = nullptr);

// The same from text; `name` stands for the path in messages.
absl::Status ParseYamlConfig(std::string_view text, std::string_view name,
                             google::protobuf::Message* out,
                             const std::function<void(ConfigFaults&)>& check = nullptr);

}  // namespace kindling::base
