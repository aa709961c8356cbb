#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/kernel/attach_table.h"
#include "agent/kernel/doctor.h"

namespace kindling::agent {
namespace {

using State = DoctorRow::State;

const DoctorRow* Find(const std::vector<DoctorRow>& rows, std::string_view what) {
  for (const DoctorRow& row : rows) {
    if (row.what == what) return &row;
  }
  return nullptr;
}

TEST(DoctorTest, ThisMachineCanCapture) {
  const std::vector<DoctorRow> rows = Examine({});
  EXPECT_TRUE(CanCapture(rows)) << ToText(rows);
  for (const AttachRow& row : AttachTable()) {
    ASSERT_NE(Find(rows, row.hook), nullptr) << row.hook;
  }
  EXPECT_EQ(Find(rows, "data path sys_exit")->state, State::kOk) << ToText(rows);
  EXPECT_EQ(Find(rows, "tp_btf/tcp_destroy_sock")->state, State::kOk);
}

TEST(DoctorTest, DisabledRowsSayWhatIsLost) {
  const std::vector<DoctorRow> rows = Examine({"tp_btf/sys_exit", "tp_btf/sched_process_exit"});
  const DoctorRow* exit = Find(rows, "tp_btf/sched_process_exit");
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->state, State::kDisabled);
  EXPECT_THAT(exit->lost, ::testing::HasSubstr("crash"));
  EXPECT_NE(Find(rows, "data path sys_exit")->state, State::kOk);
}

TEST(DoctorTest, WithoutAnyDataPathThereIsNoCapture) {
  EXPECT_FALSE(CanCapture(Examine({"tp_btf/sys_exit", "tp_btf/sock_recv_length"})));
}

}  // namespace
}  // namespace kindling::agent
