#include <string>

#include "absl/strings/str_format.h"
#include "ui/cli/commands.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

// Each script asks kindlingctl itself ("__complete WORDS...") what may follow. COMP_WORDBREAKS
// splits words at = and :, which filters and names hold, so the line is cut at spaces here.
constexpr char kBash[] = R"(# bash completion for kindlingctl: source <(kindlingctl completion bash)
_kindlingctl() {
  local line="${COMP_LINE:0:COMP_POINT}" words candidate current prefix
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  current="${words[-1]}"
  words[-1]="${current#[\"\']}"
  # What bash takes for the current word may be only the end of it.
  prefix="${current%"${COMP_WORDS[COMP_CWORD]}"}"
  if [[ "${COMP_WORDS[COMP_CWORD]}" =~ ^[=:]$ ]]; then prefix="$current"; fi
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ "$current" == [\"\']* ]]; then candidate="${current:0:1}$candidate"; fi
    COMPREPLY+=("${candidate#"$prefix"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  # A filter goes on after its first word.
  if [[ "$current" == *[\"\'=]* || "${words[-2]}" == -f || "${words[-2]}" == --filter ]]; then
    compopt -o nospace 2>/dev/null || true
  fi
}
complete -F _kindlingctl kindlingctl
)";

constexpr char kZsh[] = R"(#compdef kindlingctl
# zsh completion for kindlingctl: source <(kindlingctl completion zsh)
_kindlingctl() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -Q -S '' -- "${(@)candidates:#}"
}
compdef _kindlingctl kindlingctl
)";

constexpr char kFish[] = R"(# fish completion for kindlingctl: kindlingctl completion fish | source
function __kindlingctl_complete
  set -l words (commandline -opc)
  set -e words[1]
  kindlingctl __complete $words (commandline -ct | string trim --chars '"\'') 2>/dev/null
end
complete -c kindlingctl -f -a '(__kindlingctl_complete)'
)";

absl::StatusOr<ExitCode> Run(Session& session) {
  const std::string& shell = session.arguments()[0];
  if (shell == "bash") {
    session.out() << kBash;
  } else if (shell == "zsh") {
    session.out() << kZsh;
  } else if (shell == "fish") {
    session.out() << kFish;
  } else {
    return absl::InvalidArgumentError(
        absl::StrFormat("no completion for \"%s\": bash, zsh or fish", shell));
  }
  return ExitCode::kOk;
}

}  // namespace

Command CompletionCommand() {
  return {.name = "completion",
          .arguments = "bash|zsh|fish",
          .summary = "a script that completes commands, options and filters",
          .asks_controller = false,
          .least_arguments = 1,
          .most_arguments = 1,
          .examples = {{"source <(kindlingctl completion bash)", "for this shell"},
                       {"kindlingctl completion bash > /etc/bash_completion.d/kindlingctl",
                        "for every shell of this machine"}},
          .run = Run};
}

}  // namespace kindling::ui
