#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/admin.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::VerifyStoreResponse response;
  RETURN_IF_ERROR(session.Ask(v1::VerifyStoreRequest(), &response));
  const bool is_sound = response.damaged_blocks() == 0 && response.faults().empty();
  const ExitCode code = is_sound ? ExitCode::kOk : ExitCode::kError;
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) return code;
  session.out() << "read " << Plural(response.blocks(), "block") << ", "
                << Plural(response.rows(), "row") << ", " << base::FormatBytes(response.bytes())
                << " in " << base::FormatDurationNs(response.seconds() * 1e9) << "\n";
  if (is_sound) {
    session.out() << "no damage\n";
    return code;
  }
  session.out() << session.style().Paint(Tone::kBad,
                                         Plural(response.damaged_blocks(), "block") + " damaged")
                << "\n";
  for (const std::string& fault : response.faults()) {
    session.out() << "fault: " << CleanText(fault) << "\n";
  }
  return code;
}

}  // namespace

Command StoreVerifyCommand() {
  return {.name = "store verify",
          .summary = "read and check every block of the store",
          .details =
              "Checks checksums and contents, and roll-ups against what they sum. Ingest and "
              "questions go on meanwhile. Exits with 1 when something is damaged.",
          .formats = {"table", "json", "yaml"},
          .timeout = absl::Hours(1),
          .examples = {{"kindlingctl store verify", "after the disk has failed"}},
          .run = Run};
}

}  // namespace kindling::ui
