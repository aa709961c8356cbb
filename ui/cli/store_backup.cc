#include "base/status_macros.h"
#include "base/units.h"
#include "base/utf8.h"
#include "kindling/v1/admin.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::BackupStoreRequest request;
  if (!session.arguments().empty()) {
    request.set_directory(session.arguments()[0]);
    if (!base::IsValidUtf8(request.directory())) {
      return absl::InvalidArgumentError("the directory's name is not valid UTF-8");
    }
  }
  v1::BackupStoreResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) return ExitCode::kOk;
  session.out() << "wrote " << base::FormatBytes(response.bytes()) << " to "
                << CleanText(response.directory()) << " on the controller's machine in "
                << base::FormatDurationNs(response.seconds() * 1e9) << "\n";
  return ExitCode::kOk;
}

}  // namespace

Command StoreBackupCommand() {
  return {
      .name = "store backup",
      .arguments = "[DIRECTORY]",
      .summary = "a consistent copy of the store, on the controller's machine",
      .details =
          "Holds all that was acknowledged before. Ingest and questions go on meanwhile. DIRECTORY "
          "is a name below storage.backup_directory of the controller's configuration, without "
          "which backups are refused, or a whole path below it; without one it is the time of "
          "day. On that machine, \"kindling-controller restore --from DIRECTORY\" makes a store "
          "of it.",
      .formats = {"table", "json", "yaml"},
      .timeout = absl::Hours(1),
      .most_arguments = 1,
      .examples = {{"kindlingctl store backup", "named by the time"},
                   {"kindlingctl store backup before-upgrade", "named by its purpose"}},
      .run = Run};
}

}  // namespace kindling::ui
