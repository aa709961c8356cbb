#include "agent/network/dns_search.h"

#include <algorithm>

namespace kindling::agent {
namespace {

bool IsBefore(std::string_view name, std::string_view longer) {
  return longer.size() > name.size() + 1 && longer.starts_with(name) && longer[name.size()] == '.';
}

// The longest beginning that is whole labels of both.
std::string_view CommonHead(std::string_view a, std::string_view b) {
  size_t head = 0;
  for (size_t i = 0; i <= std::min(a.size(), b.size()); ++i) {
    const bool ends_a = i == a.size() || a[i] == '.';
    const bool ends_b = i == b.size() || b[i] == '.';
    if (ends_a && ends_b) head = i;
    if (i == a.size() || i == b.size() || a[i] != b[i]) break;
  }
  return a.substr(0, head);
}

// `longer` is `name` with labels in the middle: gives those before them.
std::string_view HeadBeforeInsertion(std::string_view name, std::string_view longer) {
  std::string_view head = CommonHead(name, longer);
  while (!head.empty()) {
    const std::string_view tail = name.substr(std::min(name.size(), head.size() + 1));
    if (!tail.empty() && longer.size() > name.size() && longer.ends_with(tail) &&
        longer[longer.size() - tail.size() - 1] == '.') {
      return head;
    }
    const size_t dot = head.rfind('.');
    head = head.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
  return {};
}

}  // namespace

bool DnsSearch::IsDomain(std::string_view text) const {
  return std::ranges::find(domains_, text) != domains_.end();
}

std::string_view DnsSearch::CommonName(std::string_view failed, std::string_view found) const {
  if (IsBefore(found, failed)) return found;
  if (IsBefore(failed, found)) return failed;
  if (const std::string_view head = HeadBeforeInsertion(found, failed); !head.empty()) return head;
  for (const std::string& domain : domains_) {
    if (found.size() <= domain.size() + 1 || !found.ends_with(domain)) continue;
    const std::string_view name = found.substr(0, found.size() - domain.size() - 1);
    if (found[name.size()] == '.' && IsBefore(name, failed) &&
        IsDomain(failed.substr(name.size() + 1))) {
      return name;
    }
  }
  return {};
}

void DnsSearch::LearnDomains(std::string_view name, int64_t sent_ns) {
  for (const Failed& failed : failed_) {
    if (failed.answered_ns > sent_ns || sent_ns - failed.answered_ns > kWithinNs) continue;
    if (!IsBefore(name, failed.name)) continue;
    const std::string_view domain = std::string_view(failed.name).substr(name.size() + 1);
    if (IsDomain(domain)) continue;
    if (domains_.size() >= kMaxDomains) domains_.erase(domains_.begin());
    domains_.emplace_back(domain);
  }
}

void DnsSearch::OnFailed(std::string_view name, int64_t sent_ns, int64_t answered_ns) {
  LearnDomains(name, sent_ns);
  if (failed_.size() >= kMaxFailed) failed_.erase(failed_.begin());
  failed_.push_back({std::string(name), answered_ns});
  used_ns_ = answered_ns;
}

DnsSearch::Waste DnsSearch::OnFound(std::string_view name, int64_t sent_ns) {
  LearnDomains(name, sent_ns);
  Waste waste;
  std::erase_if(failed_, [&](const Failed& failed) {
    if (failed.answered_ns > sent_ns || sent_ns - failed.answered_ns > kWithinNs) return false;
    const std::string_view common = CommonName(failed.name, name);
    if (common.empty()) return false;
    ++waste.queries;
    if (waste.name.empty() || common.size() < waste.name.size()) waste.name = std::string(common);
    return true;
  });
  return waste;
}

bool DnsSearch::ForgetBefore(int64_t boot_ns) {
  std::erase_if(failed_, [boot_ns](const Failed& failed) { return failed.answered_ns < boot_ns; });
  return !failed_.empty() || (!domains_.empty() && boot_ns - used_ns_ < kListKeptNs);
}

}  // namespace kindling::agent
