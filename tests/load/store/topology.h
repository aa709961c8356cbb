#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/records.h"
#include "tests/load/store/random.h"

namespace kindling::load {

struct TopologyOptions {
  uint32_t services = 1000;
  double service_zipf = 1.0;  // popularity, of services that are called and of those that call
  uint32_t hosts = 50;        // each with an agent
  uint32_t max_replicas = 8;  // of the most popular services; 1 of the least
  uint32_t threads = 16;      // of a replica's pool
  // Kinds of services, the rest is HTTP. One of them is the cluster's DNS server, which no agent
  // watches.
  double mysql_share = 0.10;
  double redis_share = 0.05;
  double unwatched_share = 0.5;   // of MySQL and Redis: on machines without an agent
  uint32_t entry_services = 50;   // HTTP services that requests come in to; proxies call no others
  uint32_t callees = 6;           // services that an HTTP service calls
  uint32_t endpoints = 20;        // of a service
  uint32_t endpoints_called = 4;  // of those, by one calling service
  double endpoint_zipf = 1.1;
  // The routes and statements that services take their endpoints from.
  uint32_t routes = 500;
  uint32_t statements = 300;
  uint32_t url_paths = 10'000;  // distinct paths, of all routes together
  uint32_t user_agents = 12;
};

enum class ServiceKind : uint8_t { kHttp, kMysql, kRedis, kDns };

// One name of what a service is asked.
struct Endpoint {
  std::string name;         // as the agent makes it: "GET /orders/*"
  std::string status_code;  // when all is well
  uint32_t route = 0;       // HTTP: which gives the paths
  // Attributes that all its requests have.
  std::vector<std::pair<std::string, std::string>> attributes;
  double own_ns = 0;  // median of the time that is not spent waiting for others
  uint32_t request_bytes = 0;
  uint32_t response_bytes = 0;
};

// One process. Its parties are what an agent on its host, or on another, says of it.
struct Replica {
  uint32_t service = 0;
  uint32_t host = 0;
  uint32_t pid = 0;
  std::vector<uint32_t> threads;
  model::Party server;           // by its own host's agent
  model::Party server_from_far;  // by another's
  model::Party client;
  model::Party client_from_far;
};

struct Service {
  std::string name;
  ServiceKind kind = ServiceKind::kHttp;
  bool watched = true;  // an agent sees its side
  std::vector<uint32_t> replicas;
  std::vector<uint32_t> endpoints;
  std::vector<uint32_t> http_callees;
  std::vector<uint32_t> store_callees;  // MySQL and Redis
};

// The services of a made-up cluster, where they run and what they are asked: a function of the
// seed.
struct Topology {
  Topology(const TopologyOptions& options, uint64_t seed);

  std::string HostName(uint32_t host) const;
  // A path of the route: `value` picks one of paths_per_route.
  std::string Path(uint32_t route, uint32_t value) const;

  std::vector<Service> services;
  std::vector<Replica> replicas;
  std::vector<Endpoint> endpoints;
  std::vector<std::string> user_agents;
  std::vector<uint32_t> http_services;  // by popularity
  std::vector<model::Party> proxies;    // where requests come in from; no agent there
  uint32_t dns = 0;                     // service
  uint32_t paths_per_route = 0;

 private:
  void MakeVocabulary(const TopologyOptions& options, Random& random);
  void AddService(const TopologyOptions& options, uint32_t index, Random& random);
  void AddReplica(uint32_t service, uint32_t host, uint16_t port, const TopologyOptions& options);
  void AddEndpoint(uint32_t service, uint32_t number, Random& random);

  std::vector<std::string> routes_;      // "GET /orders/*/items"
  std::vector<std::string> statements_;  // "SELECT ... WHERE id = ?"
};

}  // namespace kindling::load
