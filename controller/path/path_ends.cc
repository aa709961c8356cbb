#include "controller/path/path_ends.h"

#include <arpa/inet.h>

#include <set>
#include <string_view>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/topology/address_table.h"
#include "model/records.h"

namespace kindling::controller {
namespace {

bool IsAddress(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

// Of all that a name may stand for, the addresses.
class Addresses {
 public:
  explicit Addresses(std::string_view name) : name_(name) {}

  void Add(const model::AddressBinding& binding) {
    if (IsCalled(binding.workload, binding.host)) AddAddress(binding.address);
  }
  void Add(const model::Party& party) {
    if (IsCalled(party.workload, party.host) || party.dns_name == name_) AddAddress(party.address);
  }

  const std::set<std::string>& found() const { return routed_.empty() ? local_ : routed_; }

 private:
  bool IsCalled(std::string_view workload, std::string_view host) const {
    if (!host.empty() && host == name_) return true;
    if (workload.empty()) return false;
    return workload == name_ || workload.substr(0, workload.rfind(':')) == name_;
  }
  void AddAddress(const std::string& address) {
    const std::string plain(PlainAddress(address));
    if (!IsAddress(plain)) return;  // of a unix socket
    (IsHostLocal(plain) ? local_ : routed_).insert(plain);
  }

  const std::string_view name_;
  std::set<std::string> routed_;
  std::set<std::string> local_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> FindPathEnd(const QueryContext& context,
                                                     const std::string& end) {
  const std::string plain(PlainAddress(end));
  if (IsAddress(plain)) return std::vector<std::string>{plain};
  Addresses addresses(end);
  const int64_t now_ns = context.sources.clock.WallNs();
  // A binding counts from when it was made on, however long ago.
  RETURN_IF_ERROR(
      ScanFor(context, {.end_ns = now_ns, .addresses = true}, [&](const model::Batch& block) {
        for (const auto& row : block.addresses) addresses.Add(row);
        return absl::OkStatus();
      }).status());
  RETURN_IF_ERROR(ScanFor(context,
                          {.start_ns = now_ns - kPathEndsAgeNs, .end_ns = now_ns, .edges = true},
                          [&](const model::Batch& block) {
                            for (const model::EdgeStats& row : block.edges) {
                              addresses.Add(row.client);
                              addresses.Add(row.server);
                            }
                            return absl::OkStatus();
                          })
                      .status());
  const std::set<std::string>& found = addresses.found();
  if (found.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "no workload, service, host or DNS name of the last hour is called \"%s\" and has an "
        "address; \"kindlingctl get services\" lists names, and an address can be given instead",
        end));
  }
  if (found.size() > kMaxEndAddresses) {
    return absl::InvalidArgumentError(
        absl::StrFormat("\"%s\" has %d addresses, more than %d: name one of them", end,
                        found.size(), kMaxEndAddresses));
  }
  return std::vector<std::string>(found.begin(), found.end());
}

}  // namespace kindling::controller
