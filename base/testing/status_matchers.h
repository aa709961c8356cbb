#pragma once

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kindling::base {
inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}
}  // namespace kindling::base

#define ASSERT_OK(expr) ASSERT_EQ(::kindling::base::StatusOf(expr), absl::OkStatus())
#define EXPECT_OK(expr) EXPECT_EQ(::kindling::base::StatusOf(expr), absl::OkStatus())
