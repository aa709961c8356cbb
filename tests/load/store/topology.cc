#include "tests/load/store/topology.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"
#include "model/sql_template.h"

namespace kindling::load {
namespace {

constexpr std::array<const char*, 40> kWords = {
    "account", "address", "auth",     "basket",   "billing", "cart",   "catalog", "checkout",
    "comment", "coupon",  "customer", "device",   "email",   "event",  "feature", "feed",
    "image",   "index",   "invoice",  "ledger",   "message", "note",   "offer",   "order",
    "payment", "photo",   "price",    "product",  "profile", "quote",  "rating",  "report",
    "review",  "search",  "session",  "shipment", "stock",   "ticket", "user",    "wallet"};
constexpr std::array<const char*, 8> kColumns = {"id",    "name",  "state",   "created_at",
                                                 "total", "owner", "version", "kind"};
constexpr std::array<const char*, 16> kCommands = {
    "GET",   "SET",  "HGETALL", "HGET",   "MGET", "INCR",   "EXPIRE", "DEL",
    "LPUSH", "LPOP", "ZADD",    "ZRANGE", "SADD", "EXISTS", "HSET",   "TTL"};
constexpr std::array<const char*, 4> kMethods = {"GET", "POST", "PUT", "DELETE"};
constexpr std::array<const char*, 4> kStatuses = {"200", "201", "200", "204"};
constexpr uint32_t kProxies = 4;

std::string Word(Random& random) { return kWords[random.Below(kWords.size())]; }

// A private address, one for each number.
std::string Address(uint32_t number) {
  return absl::StrFormat("10.%d.%d.%d", 1 + number / 62500, number / 250 % 250, 1 + number % 250);
}

double KindOwnNs(ServiceKind kind) {
  switch (kind) {
    case ServiceKind::kHttp:
      return 3e6;
    case ServiceKind::kMysql:
      return 1.2e6;
    case ServiceKind::kRedis:
      return 1.5e5;
    case ServiceKind::kDns:
      return 4e5;
  }
  return 1e6;
}

uint16_t PortOf(ServiceKind kind) {
  switch (kind) {
    case ServiceKind::kHttp:
      return 8080;
    case ServiceKind::kMysql:
      return 3306;
    case ServiceKind::kRedis:
      return 6379;
    case ServiceKind::kDns:
      return 53;
  }
  return 0;
}

}  // namespace

std::string Topology::HostName(uint32_t host) const { return absl::StrFormat("node-%03d", host); }

std::string Topology::Path(uint32_t route, uint32_t value) const {
  std::string out = routes_[route].substr(routes_[route].find(' ') + 1);
  if (const size_t star = out.find('*'); star != std::string::npos) {
    // Ids of one route are spread as a database's are.
    const uint64_t id = 10'000 + Random::Mix(route * 7919 + value) % 9'990'000;
    out.replace(star, 1, std::to_string(id));
  } else if (value > 0) {
    absl::StrAppendFormat(&out, "/%d", value);
  }
  return out;
}

void Topology::MakeVocabulary(const TopologyOptions& options, Random& random) {
  for (uint32_t i = 0; i < options.routes; ++i) {
    // Every route has one place for an id. With up to 1,600 of them no two are the same.
    std::string route =
        absl::StrFormat("%s /api/v%d/%ss", kMethods[random.Below(10) < 6 ? 0 : random.Below(4)],
                        1 + i / kWords.size() % 3, kWords[i % kWords.size()]);
    route += "/*";
    const uint32_t turn = i / kWords.size();
    if (turn > 0) route += absl::StrFormat("/%ss", kWords[(turn * 7 + i) % kWords.size()]);
    if (random.Chance(0.3)) route += "/" + Word(random);
    routes_.push_back(std::move(route));
  }
  for (uint32_t i = 0; i < options.statements; ++i) {
    const std::string table = Word(random) + "s";
    const std::string key = kColumns[random.Below(kColumns.size())];
    switch (random.Below(5)) {
      case 0:
        statements_.push_back(absl::StrFormat("INSERT INTO %s (%s, %s, created_at) VALUES (?)",
                                              table, key, Word(random)));
        break;
      case 1:
        statements_.push_back(absl::StrFormat(
            "UPDATE %s SET %s = ?, version = version + ? WHERE id = ?", table, key));
        break;
      case 2:
        statements_.push_back(absl::StrFormat(
            "SELECT t.id, t.%s, j.name FROM %s t JOIN %ss j ON j.id = t.%s_id WHERE t.%s = ? "
            "ORDER BY t.created_at DESC LIMIT ?",
            key, table, Word(random), Word(random), key));
        break;
      default:
        statements_.push_back(absl::StrFormat("SELECT id, %s, %s FROM %s WHERE %s = ?", key,
                                              Word(random), table, key));
    }
  }
  for (uint32_t i = 0; i < options.user_agents; ++i) {
    user_agents.push_back(absl::StrFormat("%s-client/%d.%d (linux; amd64)", Word(random),
                                          1 + random.Below(5), random.Below(30)));
  }
}

void Topology::AddReplica(uint32_t service, uint32_t host, uint16_t port,
                          const TopologyOptions& options) {
  const auto number = static_cast<uint32_t>(replicas.size());
  Replica& replica = replicas.emplace_back();
  replica.service = service;
  replica.host = host;
  replica.pid = 1000 + number * 37 % 400'000;
  for (uint32_t i = 0; i < options.threads; ++i) replica.threads.push_back(replica.pid + 1 + i);
  const std::string& name = services[service].name;
  const std::string address = Address(number);
  replica.server = {.workload = absl::StrFormat("%s:%d", name, port),
                    .workload_kind = "container",
                    .host = HostName(host),
                    .address = address,
                    .port = port};
  replica.client = replica.server;
  replica.client.port = 0;
  replica.server_from_far = {
      .address = address, .port = port, .dns_name = name + ".shop.svc.cluster.local"};
  replica.client_from_far = {.address = address};
  services[service].replicas.push_back(number);
}

void Topology::AddEndpoint(uint32_t service, uint32_t number, Random& random) {
  const ServiceKind kind = services[service].kind;
  Endpoint endpoint;
  const auto attribute = [&](const char* key, std::string value) {
    endpoint.attributes.emplace_back(key, std::move(value));
  };
  switch (kind) {
    case ServiceKind::kHttp: {
      // Neighbours in the vocabulary, so that no two endpoints of a service are the same.
      endpoint.route = (service * 31 + number) % routes_.size();
      endpoint.name = routes_[endpoint.route];
      const std::string method = endpoint.name.substr(0, endpoint.name.find(' '));
      const auto at = std::find(kMethods.begin(), kMethods.end(), method) - kMethods.begin();
      endpoint.status_code = kStatuses[at];
      attribute("http.request.method", method);
      break;
    }
    case ServiceKind::kMysql: {
      const std::string& statement = statements_[(service * 17 + number) % statements_.size()];
      endpoint.name = model::SqlEndpoint(statement);
      attribute("db.system", "mysql");
      attribute("db.operation", statement.substr(0, statement.find(' ')));
      attribute("db.name", services[service].name);
      attribute("db.statement", statement);
      break;
    }
    case ServiceKind::kRedis: {
      endpoint.name = kCommands[number % kCommands.size()];
      attribute("db.system", "redis");
      attribute("db.operation", endpoint.name);
      attribute("db.statement", absl::StrFormat("%s (%d args)", endpoint.name, 2 + number / 16));
      break;
    }
    case ServiceKind::kDns: {
      const std::string& name = services[number % services.size()].name;
      endpoint.name = "A " + name + ".shop.svc.cluster.local";
      endpoint.status_code = "NOERROR";
      attribute("dns.question.name", name + ".shop.svc.cluster.local");
      attribute("dns.question.type", "A");
      attribute("dns.answers", Address(number));
      break;
    }
  }
  endpoint.own_ns = KindOwnNs(kind) * std::exp(0.8 * random.Normal());
  endpoint.request_bytes = static_cast<uint32_t>(
      kind == ServiceKind::kHttp ? 350 + random.Below(400) : 40 + random.Below(160));
  endpoint.response_bytes =
      static_cast<uint32_t>(random.LogNormal(kind == ServiceKind::kHttp ? 2500 : 300, 1));
  services[service].endpoints.push_back(static_cast<uint32_t>(endpoints.size()));
  endpoints.push_back(std::move(endpoint));
}

void Topology::AddService(const TopologyOptions& options, uint32_t index, Random& random) {
  Service service;
  const double kind = random.Uniform();
  // The most popular ten and the least popular are HTTP, so that there is always something to call.
  const bool http = index < 10 || kind >= options.mysql_share + options.redis_share;
  const char* suffix = "api";
  if (!http) {
    service.kind = kind < options.mysql_share ? ServiceKind::kMysql : ServiceKind::kRedis;
    service.watched = !random.Chance(options.unwatched_share);
    suffix = service.kind == ServiceKind::kMysql ? "db" : "cache";
  }
  service.name = absl::StrFormat("%s-%s-%03d", kWords[index % kWords.size()], suffix, index);
  services.push_back(std::move(service));
  const double share = std::pow(index + 1, -options.service_zipf / 2);
  const auto count =
      std::max<uint32_t>(1, static_cast<uint32_t>(std::lround(options.max_replicas * share)));
  const uint16_t port = PortOf(services.back().kind);
  for (uint32_t i = 0; i < count; ++i) {
    AddReplica(index, static_cast<uint32_t>(random.Below(options.hosts)), port, options);
  }
  for (uint32_t i = 0; i < options.endpoints; ++i) AddEndpoint(index, i, random);
}

Topology::Topology(const TopologyOptions& options, uint64_t seed)
    : paths_per_route(std::max<uint32_t>(1, options.url_paths / options.routes)) {
  Random random(seed);
  MakeVocabulary(options, random);
  for (uint32_t i = 0; i + 1 < options.services; ++i) AddService(options, i, random);
  dns = static_cast<uint32_t>(services.size());
  services.push_back({.name = "cluster-dns", .kind = ServiceKind::kDns, .watched = false});
  AddReplica(dns, 0, PortOf(ServiceKind::kDns), options);
  for (uint32_t i = 0; i < options.services; ++i) AddEndpoint(dns, i, random);

  std::vector<uint32_t> stores;
  for (uint32_t i = 0; i < dns; ++i) {
    (services[i].kind == ServiceKind::kHttp ? http_services : stores).push_back(i);
  }
  const Zipf popular(static_cast<uint32_t>(http_services.size()), options.service_zipf);
  for (const uint32_t i : http_services) {
    Service& service = services[i];
    for (uint32_t n = 0; n < options.callees; ++n) {
      // A third of what is called is a database or a cache, and those are shared little.
      if (n % 3 == 2 && !stores.empty()) {
        service.store_callees.push_back(stores[random.Below(stores.size())]);
        continue;
      }
      const uint32_t callee = http_services[popular.Pick(random)];
      if (callee != i) service.http_callees.push_back(callee);
    }
  }
  for (uint32_t i = 0; i < kProxies; ++i) {
    proxies.push_back({.address = absl::StrFormat("192.0.2.%d", 1 + i)});
  }
}

}  // namespace kindling::load
