#include "agent/aggregate/edge_table.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::agent {
namespace {

Edge ServerEdge(const std::string& client_address) {
  Edge edge;
  edge.observer = model::Side::kServer;
  edge.protocol = model::Protocol::kHttp;
  edge.transport = model::Transport::kTcp;
  edge.client.address = client_address;
  edge.server.workload = "nginx:80";
  edge.server.address = "10.0.0.2";
  edge.server.port = 80;
  return edge;
}

TEST(EdgeTableTest, EqualEdgesAreOne) {
  EdgeTable table({});
  const auto a = table.Intern(ServerEdge("10.0.0.1"));
  EXPECT_EQ(a, table.Intern(ServerEdge("10.0.0.1")));
  const auto b = table.Intern(ServerEdge("10.0.0.9"));
  EXPECT_NE(a, b);
  EXPECT_EQ(a->service, b->service);  // endpoints are capped per service, not per edge
}

TEST(EdgeTableTest, PeersBeyondTheCapFoldIntoOther) {
  EdgeTable table({.edges = 2});
  std::vector<std::shared_ptr<const InternedEdge>> held;
  for (int i = 0; i < 5; ++i) held.push_back(table.Intern(ServerEdge(std::to_string(i))));
  EXPECT_EQ(held[1]->edge.client.address, "1");
  EXPECT_EQ(held[2]->edge.client.address, "(other)");
  EXPECT_EQ(held[2], held[4]);
  EXPECT_EQ(held[2]->edge.server.workload, "nginx:80");
  EXPECT_EQ(table.capped_edges(), 3);
}

TEST(EdgeTableTest, BeyondTwiceTheCapBothPartiesFold) {
  EdgeTable table({.edges = 2});
  std::vector<std::shared_ptr<const InternedEdge>> held;
  for (int i = 0; i < 50; ++i) {
    Edge edge = ServerEdge("x");
    edge.server.workload = std::to_string(i);
    held.push_back(table.Intern(edge));
  }
  EXPECT_LE(table.size(), 5u);
  EXPECT_EQ(held.back()->edge.server.address, "(other)");
}

TEST(EdgeTableTest, DropsOnlyWhatNobodyRefersTo) {
  EdgeTable table({});
  auto held = table.Intern(ServerEdge("held"));
  RowSet rows;
  {
    const auto with_row = table.Intern(ServerEdge("row"));
    rows.insert(std::make_unique<Row>(RowKey{with_row.get(), model::Outcome::kOk, "GET /", "200"}));
  }
  table.Intern(ServerEdge("dropped"));
  ASSERT_EQ(table.size(), 3u);
  table.DropUnreferenced(rows);
  EXPECT_EQ(table.size(), 2u);
  held.reset();
  rows.clear();
  table.DropUnreferenced(rows);
  EXPECT_EQ(table.size(), 0u);
}

TEST(EdgeTableTest, NamesBeyondTheCapAreOtherUntilUnusedOnesAreSwept) {
  EdgeTable table({.endpoints = 2, .statuses = 1});
  const auto edge = table.Intern(ServerEdge("a"));
  EXPECT_EQ(table.CappedEndpoint(*edge, ""), "");
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /a"), "GET /a");
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /b"), "GET /b");
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /c"), model::kOtherName);
  EXPECT_EQ(table.CappedStatus(*edge, "200"), "200");
  EXPECT_EQ(table.CappedStatus(*edge, "404"), model::kOtherName);
  table.SweepNames();
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /b"), "GET /b");
  table.SweepNames();  // /a was not used since the sweep before
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /c"), "GET /c");
  EXPECT_EQ(table.CappedEndpoint(*edge, "GET /a"), model::kOtherName);
}

}  // namespace
}  // namespace kindling::agent
