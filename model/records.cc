#include "model/records.h"

namespace kindling::model {

std::string_view Name(ProcessEventKind kind) {
  switch (kind) {
    case ProcessEventKind::kUnset:
      break;
    case ProcessEventKind::kStart:
      return "start";
    case ProcessEventKind::kExit:
      return "exit";
    case ProcessEventKind::kCrash:
      return "crash";
    case ProcessEventKind::kOomKill:
      return "oom_kill";
    case ProcessEventKind::kFound:
      return "found";
  }
  return "unknown";
}

std::string_view Name(LossStage stage) {
  switch (stage) {
    case LossStage::kUnset:
      break;
    case LossStage::kKernelRing:
      return "kernel_ring";
    case LossStage::kKernelMap:
      return "kernel_map";
    case LossStage::kByteGap:
      return "byte_gap";
    case LossStage::kParserResync:
      return "parser_resync";
    case LossStage::kCap:
      return "cap";
    case LossStage::kSpoolOverflow:
      return "spool_overflow";
    case LossStage::kLateData:
      return "late_data";
    case LossStage::kAgentSilent:
      return "agent_silent";
  }
  return "unknown";
}

}  // namespace kindling::model
