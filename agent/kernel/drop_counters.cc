#include "agent/kernel/drop_counters.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>

#include "agent/kernel/translate.h"
#include "base/errno_status.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kBatch = 1024;  // more than any bucket of the maps holds

// The last word on a sum that is taken out.
kd_drop_sum Take(int fd, const kd_drop_key& key, const kd_drop_sum& last_seen) {
  kd_drop_sum sum = last_seen;
  if (bpf_map_lookup_and_delete_elem(fd, &key, &sum) == 0) return sum;
  bpf_map_delete_elem(fd, &key);  // before 5.14
  return last_seen;
}

}  // namespace

bool DropCounters::Key::operator==(const Key& other) const {
  return std::memcmp(&wire, &other.wire, sizeof(wire)) == 0;
}

void DropCounters::Give(const kd_drop_key& key, const kd_drop_sum& before, const kd_drop_sum& now,
                        int64_t boot_ns, bool without_ends, EventSink& sink) const {
  if (now.packets <= before.packets) return;
  DropSample sample = ToDropSample(key, reasons_);
  sample.boot_ns = boot_ns;
  sample.without_ends = without_ends;
  sample.packets = now.packets - before.packets;
  sample.bytes = now.bytes > before.bytes ? now.bytes - before.bytes : 0;
  sink.OnDrop(sample);
}

absl::Status DropCounters::Read(int64_t boot_ns, EventSink& sink) {
  RETURN_IF_ERROR(ReadMap(sums_, boot_ns, sink));
  return ReadMap(beyond_, boot_ns, sink);
}

absl::Status DropCounters::ReadMap(Sums& sums, int64_t boot_ns, EventSink& sink) {
  const bool without_ends = &sums == &beyond_;
  std::vector<kd_drop_key> keys(kBatch);
  std::vector<kd_drop_sum> values(kBatch);
  std::vector<kd_drop_key> idle;
  uint32_t place = 0;
  for (bool is_first = true, more = true; more; is_first = false) {
    uint32_t count = kBatch;
    const uint32_t from = place;
    more = bpf_map_lookup_batch(sums.fd, is_first ? nullptr : const_cast<uint32_t*>(&from), &place,
                                keys.data(), values.data(), &count, nullptr) == 0;
    if (!more && errno != ENOENT) return base::ErrnoStatus(errno, "read the dropped packets");
    for (uint32_t i = 0; i < count; ++i) {
      const auto [known, is_new] = sums.seen.try_emplace({keys[i]});
      if (!is_new && values[i].packets == known->second.packets) {
        idle.push_back(keys[i]);
        continue;
      }
      Give(keys[i], known->second, values[i], boot_ns, without_ends, sink);
      known->second = values[i];
    }
  }
  for (const kd_drop_key& key : idle) {
    const auto known = sums.seen.find({key});
    Give(key, known->second, Take(sums.fd, key, known->second), boot_ns, without_ends, sink);
    sums.seen.erase(known);
  }
  return absl::OkStatus();
}

}  // namespace kindling::agent
