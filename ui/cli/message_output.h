#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Message;
}

namespace kindling::ui {

// A message in protobuf's own JSON mapping: lowerCamelCase names, fields with their default value
// included, 64-bit integers as strings.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// The same document as YAML. Texts are always in quotes, with JSON's escapes.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace kindling::ui
