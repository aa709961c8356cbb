#include "storage/blocks/number_column.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "base/byte_reader.h"
#include "storage/blocks/magnitudes.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// On disk: never renumber. The first byte of a column's first section.
enum Kind : uint8_t {
  kConstant = 1,    // the value
  kMagnitudes = 2,  // classes; bits in the second section
  kRecent = 3,      // places in lists of values; new values as magnitudes in the last two sections
  kSteps = 4,       // as kMagnitudes: zigzag differences to the last value
};

// Sections of a column after the first.
enum Stream : uint32_t { kBits = 1, kNewClasses = 2, kNewBits = 3 };

// A context remembers so many values; place 0 stands for a value that is not in the list.
constexpr size_t kMaxListed = 255;

// Which context values are listed or compared in: for kRecent and kSteps the kind's byte is the
// kind plus this times (0: all values are in one; 1, 2, ...: the contexts that the caller names).
constexpr uint8_t kContextStep = 16;
constexpr size_t kMaxContexts = 14;

// What it costs to have a further section.
constexpr double kSectionBits = 12 * 8;

struct RecentColumn {
  std::string places;
  std::vector<uint64_t> fresh;
};

// Places of values by context, in a table that is open: few values are looked up in vain. A thread
// has one, which remembers whose its slots are: to clear it would cost more than to fill it.
class PlaceTable {
 public:
  // Forgets all, and makes room for so many values.
  void Begin(size_t values) {
    if (slots_.size() < values * 2) slots_.assign(std::bit_ceil(values * 2), {});
    mask_ = std::bit_ceil(values * 2) - 1;
    if (++turn_ == 0) {
      slots_.assign(slots_.size(), {});
      turn_ = 1;
    }
  }

  // The place of the value, 0 when it has just been added.
  uint8_t& Find(uint32_t context, uint64_t value) {
    uint64_t hash = (value + 1) * 0x9e3779b97f4a7c15 + context * 0xd6e8feb86659fd93;
    hash ^= hash >> 32;
    for (size_t i = hash * 0x9e3779b97f4a7c15 >> 20 & mask_;; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.turn != turn_) {
        slot = {.value = value, .context = context, .turn = turn_, .place = 0};
        return slot.place;
      }
      if (slot.value == value && slot.context == context) return slot.place;
    }
  }

 private:
  struct Slot {
    uint64_t value = 0;
    uint32_t context = 0;
    uint32_t turn = 0;
    uint8_t place = 0;
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0;
  uint32_t turn_ = 0;
};

// Calls `run` with what gives the context of each value.
template <typename Run>
auto WithContext(const ColumnContext& context, Run run) {
  const uint32_t* of_value = context.of_value.data();
  if (context.of_value.empty()) return run([](size_t) { return uint32_t{0}; });
  if (context.row_of_value.empty()) return run([=](size_t i) { return of_value[i]; });
  const uint32_t* rows = context.row_of_value.data();
  return run([=](size_t i) { return of_value[rows[i]]; });
}

// Null when most values are new: a list does not help then.
std::optional<RecentColumn> ToRecent(std::span<const uint64_t> values,
                                     const ColumnContext& context) {
  constexpr size_t kTrial = 1024;
  struct Last {
    uint64_t value = 0;
    uint8_t place = 0;  // 0: none
    uint8_t listed = 0;
  };
  thread_local PlaceTable places;
  places.Begin(values.size());
  std::vector<Last> lasts(context.count);
  RecentColumn out;
  out.places.resize(values.size());
  const size_t limit = values.size() / 2 + 16;
  const bool helps = WithContext(context, [&](auto context_of) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i == kTrial && values.size() > 2 * kTrial && out.fresh.size() > kTrial * 9 / 10) {
        return false;
      }
      const uint32_t c = context_of(i);
      Last& last = lasts[c];
      if (last.place == 0 || last.value != values[i]) {
        uint8_t& place = places.Find(c, values[i]);
        if (place == 0) {  // new, or the list had no room for it
          out.fresh.push_back(values[i]);
          if (out.fresh.size() > limit) return false;
          if (last.listed == kMaxListed) continue;
          place = ++last.listed;
          last.value = values[i];
          last.place = place;
          continue;
        }
        last.value = values[i];
        last.place = place;
      }
      out.places[i] = static_cast<char>(last.place);
    }
    return true;
  });
  return helps ? std::optional(std::move(out)) : std::nullopt;
}

std::vector<uint64_t> ToSteps(std::span<const uint64_t> values, const ColumnContext& context) {
  std::vector<uint64_t> lasts(context.count);
  std::vector<uint64_t> steps(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t& last = lasts[context.Of(i)];
    steps[i] = ZigZag(static_cast<int64_t>(values[i] - last));
    last = values[i];
  }
  return steps;
}

void FromSteps(const ColumnContext& context, std::vector<uint64_t>& values) {
  std::vector<uint64_t> lasts(context.count);
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t& last = lasts[context.Of(i)];
    last += static_cast<uint64_t>(UnZigZag(values[i]));
    values[i] = last;
  }
}

std::string WithKind(uint8_t kind, const std::string& bytes) {
  std::string out;
  out.reserve(bytes.size() + 1);
  out.push_back(static_cast<char>(kind));
  out += bytes;
  return out;
}

void AddMagnitudes(FrameWriter& frame, uint32_t number, uint8_t kind,
                   std::span<const uint64_t> values) {
  const Magnitudes magnitudes = ToMagnitudes(values);
  frame.Add(number, WithKind(kind, magnitudes.classes), Packing::kDense);
  if (!magnitudes.bits.empty()) frame.Add(number + kBits, magnitudes.bits, Packing::kStored);
}

bool ReadIfThere(const FrameReader& frame, uint32_t number, std::string& room, size_t max_bytes,
                 std::string_view* out) {
  *out = {};
  if (!frame.Has(number)) return true;
  const auto section = frame.Read(number, room, max_bytes);
  if (!section.ok()) return false;
  *out = *section;
  return true;
}

bool FromRecent(std::string_view places, const std::vector<uint64_t>& fresh,
                const ColumnContext& context, std::vector<uint64_t>& values) {
  // All lists in one array: how long each gets is known before.
  struct List {
    uint32_t start = 0;
    uint32_t size = 0;
  };
  std::vector<List> lists(context.count);
  for (size_t i = places.find('\0'); i != places.npos; i = places.find('\0', i + 1)) {
    List& list = lists[context.Of(i)];
    if (list.size < kMaxListed) ++list.size;
  }
  uint32_t start = 0;
  for (List& list : lists) {
    list.start = start;
    start += std::exchange(list.size, 0);
  }
  std::vector<uint64_t> listed(start);
  size_t next = 0;
  values.resize(places.size());
  const bool is_sound = WithContext(context, [&](auto context_of) {
    for (size_t i = 0; i < places.size(); ++i) {
      List& list = lists[context_of(i)];
      const size_t place = static_cast<uint8_t>(places[i]);
      if (place > list.size) return false;
      if (place > 0) {
        values[i] = listed[list.start + place - 1];
        continue;
      }
      if (next == fresh.size()) return false;
      values[i] = fresh[next++];
      if (list.size < kMaxListed) listed[list.start + list.size++] = values[i];
    }
    return true;
  });
  return is_sound && next == fresh.size();
}

}  // namespace

void EncodeNumberColumn(FrameWriter& frame, uint32_t number, std::span<const uint64_t> values,
                        std::span<const ColumnContext> contexts) {
  if (values.empty()) return;
  const uint32_t first = number * kSectionsPerColumn;
  if (std::all_of(values.begin(), values.end(), [&](uint64_t v) { return v == values[0]; })) {
    if (values[0] == 0) return;
    std::string bytes(1, kConstant);
    PutVarint(bytes, values[0]);
    frame.Add(first, bytes, Packing::kStored);
    return;
  }
  double least_bits = EstimateMagnitudeBits(values);
  uint8_t kind = kMagnitudes;
  std::vector<uint64_t> best_steps;
  RecentColumn best_recent;
  for (size_t i = 0; i <= std::min(contexts.size(), kMaxContexts); ++i) {
    const ColumnContext context = i == 0 ? ColumnContext{} : contexts[i - 1];
    std::vector<uint64_t> steps;
    if (i == 0 || context.has_steps) steps = ToSteps(values, context);
    if (const double bits = EstimateMagnitudeBits(steps); !steps.empty() && bits < least_bits) {
      least_bits = bits;
      kind = static_cast<uint8_t>(kSteps + i * kContextStep);
      best_steps = std::move(steps);
    }
    std::optional<RecentColumn> recent = ToRecent(values, context);
    if (!recent.has_value()) continue;
    const double bits =
        EntropyBits(recent->places) + EstimateMagnitudeBits(recent->fresh) + 2 * kSectionBits;
    if (bits < least_bits) {
      least_bits = bits;
      kind = static_cast<uint8_t>(kRecent + i * kContextStep);
      best_recent = *std::move(recent);
    }
  }
  if (kind % kContextStep == kRecent) {
    frame.Add(first, WithKind(kind, best_recent.places), Packing::kDense);
    const Magnitudes fresh = ToMagnitudes(best_recent.fresh);
    frame.Add(first + kNewClasses, fresh.classes, Packing::kDense);
    if (!fresh.bits.empty()) frame.Add(first + kNewBits, fresh.bits, Packing::kStored);
  } else {
    AddMagnitudes(frame, first, kind,
                  kind == kMagnitudes ? values : std::span(std::as_const(best_steps)));
  }
}

bool DecodeNumberColumn(const FrameReader& frame, uint32_t number, size_t count,
                        std::vector<uint64_t>& values, std::span<const ColumnContext> contexts) {
  const uint32_t first = number * kSectionsPerColumn;
  if (!frame.Has(first)) {
    values.assign(count, 0);
    return true;
  }
  std::string room;
  const auto head = frame.Read(first, room, std::max(count, size_t{10}) + 1);
  if (!head.ok() || head->empty()) return false;
  const uint8_t kind = static_cast<uint8_t>(head->front());
  const std::string_view rest = head->substr(1);
  const size_t context_number = kind / kContextStep;
  if (context_number > contexts.size()) return false;
  const ColumnContext context =
      context_number == 0 ? ColumnContext{} : contexts[context_number - 1];
  std::string bits_room;
  std::string_view bits;
  switch (kind % kContextStep) {
    case kConstant: {
      base::ByteReader reader(base::AsBytes(rest));
      const uint64_t value = ReadVarint(reader);
      if (!reader.ok() || reader.remaining() > 0) return false;
      values.assign(count, value);
      return true;
    }
    case kMagnitudes:
    case kSteps:
      if (rest.size() != count || !ReadIfThere(frame, first + kBits, bits_room, count * 8, &bits) ||
          !FromMagnitudes(rest, bits, values)) {
        return false;
      }
      if (kind % kContextStep == kSteps) FromSteps(context, values);
      return true;
    case kRecent: {
      std::string classes_room;
      std::string_view classes;
      std::vector<uint64_t> fresh;
      return rest.size() == count &&
             ReadIfThere(frame, first + kNewClasses, classes_room, count, &classes) &&
             ReadIfThere(frame, first + kNewBits, bits_room, count * 8, &bits) &&
             FromMagnitudes(classes, bits, fresh) && FromRecent(rest, fresh, context, values);
    }
    default:
      return false;
  }
}

}  // namespace kindling::storage
