#include <ostream>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/admin.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr absl::Duration kFirstProgress = absl::Seconds(1);
constexpr absl::Duration kBetweenProgress = absl::Milliseconds(250);

// Asks, and says on a terminal meanwhile how far the controller is.
absl::Status Verify(Session& session, v1::VerifyStoreResponse* response) {
  if (!session.environment().err_is_terminal) {
    return session.Ask(v1::VerifyStoreRequest(), response);
  }
  // Makes the connection, which both threads use then.
  v1::GetStoreStatusResponse status;
  RETURN_IF_ERROR(session.Ask(v1::GetStoreStatusRequest(), &status));
  absl::Status verified;
  absl::Notification ended;
  std::thread thread([&] {
    verified = session.Ask(v1::VerifyStoreRequest(), response);
    ended.Notify();
  });
  std::ostream& err = session.environment().err;
  bool told = false;
  for (absl::Duration wait = kFirstProgress; !ended.WaitForNotificationWithTimeout(wait);
       wait = kBetweenProgress) {
    if (!session.Ask(v1::GetStoreStatusRequest(), &status).ok()) continue;
    const v1::StoreOperation& running = status.running();
    if (running.name() != "verification" || running.total() == 0) continue;
    err << "\r" << FormatCount(running.done()) << " of " << Plural(running.total(), "block")
        << " read" << std::flush;
    told = true;
  }
  thread.join();
  if (told) err << "\r\x1b[K" << std::flush;
  return verified;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::VerifyStoreResponse response;
  RETURN_IF_ERROR(Verify(session, &response));
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
          .summary = "read and check all of the store",
          .details =
              "Checks checksums and contents, indexes against what they find, and roll-ups against "
              "what they sum. Ingest and questions go on meanwhile. Says on a terminal how far it "
              "is. Exits with 1 when something is damaged.",
          .formats = {"table", "json", "yaml"},
          .timeout = absl::Hours(1),
          .examples = {{"kindlingctl store verify", "after the disk has failed"}},
          .run = Run};
}

}  // namespace kindling::ui
