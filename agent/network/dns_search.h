#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::agent {

// What one client lately asked one server for, by one type, in vain: tells which of it was the way
// through a search list. A resolver that is asked for "db" with "search shop.svc svc" asks for
// "db.shop.svc", then "db.svc", then "db", until one is there.
//
// Two names are of one search if
// - one is the other with a domain after it: "db" and "db.shop.svc"; or
// - they differ by labels in the middle: "db.svc" and "db.shop.svc", domains within each other; or
// - they are one name before two domains that were seen to be in the client's search list, by the
//   first rule: "db.a.test" and "db.b.test".
//
// Limits: the last kMaxFailed names, kMaxDomains domains.
class DnsSearch {
 public:
  static constexpr size_t kMaxFailed = 64;
  static constexpr size_t kMaxDomains = 8;
  // A search goes on at once, or after the time-outs of a server or two.
  static constexpr int64_t kWithinNs = 10'000'000'000;
  static constexpr int64_t kListKeptNs = 600'000'000'000;

  // There is no such name.
  void OnFailed(std::string_view name, int64_t sent_ns, int64_t answered_ns);

  struct Waste {
    uint64_t queries = 0;
    std::string name;  // what was meant: without a domain of the search list
  };
  // There is. Each failed query is told once.
  Waste OnFound(std::string_view name, int64_t sent_ns);

  // Forgets what was answered before `boot_ns`. False once nothing is known of this client but
  // perhaps its search list, and that was of no use for kListKeptNs.
  bool ForgetBefore(int64_t boot_ns);
  size_t failed() const { return failed_.size(); }

 private:
  struct Failed {
    std::string name;
    int64_t answered_ns = 0;
  };

  // What both are without a domain; empty if they are not of one search.
  std::string_view CommonName(std::string_view failed, std::string_view found) const;
  bool IsDomain(std::string_view text) const;
  // `name` came last: the others of its search are it with a domain.
  void LearnDomains(std::string_view name, int64_t sent_ns);

  std::vector<Failed> failed_;        // oldest first
  std::vector<std::string> domains_;  // of the search list, as seen
  int64_t used_ns_ = 0;
};

}  // namespace kindling::agent
