#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function with the status of `expr` unless it is OK.
#define RETURN_IF_ERROR(expr)                                 \
  do {                                                        \
    if (absl::Status kd_status_ = (expr); !kd_status_.ok()) { \
      return kd_status_;                                      \
    }                                                         \
  } while (false)

#define KD_STATUS_CONCAT_INNER(a, b) a##b
#define KD_STATUS_CONCAT(a, b) KD_STATUS_CONCAT_INNER(a, b)
#define KD_ASSIGN_OR_RETURN(tmp, lhs, expr) \
  auto tmp = (expr);                        \
  if (!tmp.ok()) return tmp.status();       \
  lhs = *std::move(tmp)

// Evaluates `expr`, an absl::StatusOr; assigns its value to `lhs` or returns its status.
#define ASSIGN_OR_RETURN(lhs, expr) \
  KD_ASSIGN_OR_RETURN(KD_STATUS_CONCAT(kd_status_or_, __LINE__), lhs, expr)
