#include "model/edge_labels.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kindling::model {
namespace {

const EdgeEnds kEnds{.observer = Side::kServer,
                     .client = {.workload = "shop",
                                .workload_kind = "unit",
                                .host = "a",
                                .address = "10.0.0.1",
                                .dns_name = "shop.test"},
                     .server = {.workload = "db:3306",
                                .workload_kind = "process",
                                .host = "b",
                                .address = "10.0.0.2",
                                .port = 3306,
                                .dns_name = "db.test"}};

TEST(EdgeLabelsTest, ThereAndBack) {
  const Labels labels = LabelsOf(kEnds);
  EXPECT_TRUE(std::ranges::is_sorted(labels));
  EXPECT_EQ(EndsOf(labels), kEnds);
  EXPECT_EQ(LabelsOf({}), Labels());
  EXPECT_EQ(EndsOf({}), EdgeEnds());
}

TEST(EdgeLabelsTest, WhatIsEmptyHasNoLabel) {
  EXPECT_EQ(LabelsOf({.observer = Side::kClient, .server = {.address = "::1", .port = 80}}),
            (Labels{{"observer", "client"}, {"server_address", "::1"}, {"server_port", "80"}}));
}

TEST(EdgeLabelsTest, FurtherLabelsTakeTheirPlace) {
  for (const char* name : {"a", "kind", "z"}) {
    Labels labels = LabelsOf(kEnds);
    AddLabel(name, "x", labels);
    EXPECT_TRUE(std::ranges::is_sorted(labels)) << name;
    EXPECT_EQ(EndsOf(labels), kEnds);
    EXPECT_EQ(LabelOf(labels, name), "x");
  }
  EXPECT_EQ(LabelOf({}, "kind"), "");
}

TEST(EdgeLabelsTest, ForeignLabelsAreHarmless) {
  EXPECT_EQ(EndsOf({{"clients", "x"},
                    {"observer", "nobody"},
                    {"server_port", "99999"},
                    {"server_port", "-1"},
                    {"servers_port", "1"},
                    {"", ""}}),
            EdgeEnds());
}

}  // namespace
}  // namespace kindling::model
