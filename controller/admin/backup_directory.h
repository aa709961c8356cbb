#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace kindling::controller {

// The whole path of a backup that is asked for as `asked`: a name below `root` or a whole path;
// empty: a name made of the time of day. Links are followed first; `root` and the directories above
// the backup are made.
//
// Failure: FAILED_PRECONDITION there is no `root`; INVALID_ARGUMENT `asked` is not below it;
//          ALREADY_EXISTS there is something in it.
absl::StatusOr<std::string> ResolveBackupDirectory(const std::string& root,
                                                   const std::string& asked, int64_t now_ns);

// Sum of the sizes of the files in a directory; 0 for what cannot be read.
uint64_t BytesBelow(const std::string& directory);

}  // namespace kindling::controller
