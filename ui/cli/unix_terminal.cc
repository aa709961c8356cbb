#include "ui/cli/unix_terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

namespace kindling::ui {
namespace {

// The other screen without a cursor, and back.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";

// Read by the signal handler.
termios saved_settings;

void Restore() {
  tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kLeave, sizeof(kLeave) - 1);
}

void OnSignal(int number) {
  Restore();
  ::_exit(128 + number);
}

winsize Size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

class UnixTerminal final : public Terminal {
 public:
  UnixTerminal() {
    tcgetattr(STDIN_FILENO, &saved_settings);
    termios raw = saved_settings;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) std::signal(number, OnSignal);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kEnter, sizeof(kEnter) - 1);
  }
  ~UnixTerminal() override {
    Restore();
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) std::signal(number, SIG_DFL);
  }

  std::optional<char> ReadKey(absl::Duration timeout) override {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
      return std::nullopt;
    }
    char key;
    // A keyboard that is gone ends the view.
    return ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';
  }
  int rows() const override { return Size().ws_row; }
  int columns() const override { return Size().ws_col; }
};

}  // namespace

std::unique_ptr<Terminal> OpenTerminal() { return std::make_unique<UnixTerminal>(); }

int TerminalColumns() { return isatty(STDOUT_FILENO) ? Size().ws_col : 0; }

}  // namespace kindling::ui
