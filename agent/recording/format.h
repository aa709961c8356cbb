#pragma once

#include <cstdint>
#include <string_view>

namespace kindling::agent {

// First bytes of a recording file; see api/kindling/recording/v1/recording.proto.
inline constexpr std::string_view kRecordingMagic = "KNDLREC1";
// Of the frames; a reader takes this and older ones.
inline constexpr uint32_t kRecordingVersion = 3;

}  // namespace kindling::agent
