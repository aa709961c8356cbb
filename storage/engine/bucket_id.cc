#include "storage/engine/bucket_id.h"

#include <array>
#include <charconv>

#include "absl/strings/str_format.h"

namespace kindling::storage {
namespace {

constexpr std::array<std::string_view, kTierCount> kNames = {"spans", "series_10s", "series_1m",
                                                             "series_1h", "events"};

// Takes a number and the dot after it, if there is one, off the front.
template <typename T>
bool Take(std::string_view& text, T& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  if (text.starts_with('.')) text.remove_prefix(1);
  return true;
}

}  // namespace

std::string_view Name(Tier tier) { return kNames[static_cast<size_t>(tier)]; }

std::string DroppedBeforeName(Tier tier) {
  return absl::StrFormat("dropped_before.%s", Name(tier));
}

std::string BucketId::FamilyName() const {
  return absl::StrFormat("%s.%d.%d.%d", Name(tier), start_ns, length_ns, part);
}

std::optional<BucketId> BucketId::Parse(std::string_view family_name) {
  const size_t dot = family_name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  for (const Tier tier : kTiers) {
    if (Name(tier) != family_name.substr(0, dot)) continue;
    BucketId id{.tier = tier};
    std::string_view rest = family_name.substr(dot + 1);
    if (!Take(rest, id.start_ns) || !Take(rest, id.length_ns) || !Take(rest, id.part)) break;
    if (!rest.empty() || id.length_ns <= 0 || id.FamilyName() != family_name) break;
    return id;
  }
  return std::nullopt;
}

}  // namespace kindling::storage
