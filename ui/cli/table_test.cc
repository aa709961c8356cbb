#include "ui/cli/table.h"

#include <gtest/gtest.h>

namespace kindling::ui {
namespace {

Table Sample() {
  Table table({{.name = "NAME", .flexible = 6}, {.name = "N", .right = true}, {.name = "LAST"}});
  table.AddRow({{"a"}, {"5"}, {"x"}});
  table.AddRow({{"a-long-name"}, {"12345"}, {""}});
  return table;
}

TEST(Table, AlignsWithoutTrailingSpaces) {
  EXPECT_EQ(Sample().Render({}, 0),
            "NAME             N  LAST\n"
            "a                5  x\n"
            "a-long-name  12345\n");
}

TEST(Table, CutsFlexibleColumnsToFit) {
  EXPECT_EQ(Sample().Render({}, 21),
            "NAME          N  LAST\n"
            "a             5  x\n"
            "a-long-\xe2\x80\xa6  12345\n");
  EXPECT_EQ(Sample().Render({.unicode = false}, 21),
            "NAME          N  LAST\n"
            "a             5  x\n"
            "a-lon...  12345\n");
  // Too narrow even so: never less than the least.
  EXPECT_EQ(Sample().Render({}, 1),
            "NAME        N  LAST\n"
            "a           5  x\n"
            "a-lon\xe2\x80\xa6  12345\n");
}

TEST(Table, HostileCellsStayInTheirCell) {
  Table table({{.name = "A"}, {.name = "B"}});
  table.AddRow({{"x\n\x1b[31m"}, {"y"}});
  EXPECT_EQ(table.Render({}, 0), "A            B\nx\\n\\x1b[31m  y\n");
}

TEST(Table, PaintsOnlyText) {
  Table table({{.name = "A"}});
  table.AddRow({{"bad", Tone::kBad}});
  EXPECT_EQ(table.Render({.color = true}, 0), "\x1b[1mA\x1b[0m\n\x1b[31mbad\x1b[0m\n");
}

}  // namespace
}  // namespace kindling::ui
