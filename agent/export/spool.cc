#include "agent/export/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "glog/logging.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxEntries = 100'000;  // per lane
constexpr uint64_t kSmallestSegment = 64ULL << 10;
constexpr uint64_t kLargestSegment = 16ULL << 20;
constexpr std::array<char, kSpoolLanes> kLaneLetters = {'a', 's'};

std::string SegmentName(SpoolLane lane, uint64_t number) {
  return absl::StrFormat("%c-%016x.seg", kLaneLetters[static_cast<size_t>(lane)], number);
}

// Lane and number of a segment's file name; false for other files.
bool ParseSegmentName(const std::string& name, SpoolLane* lane, uint64_t* number) {
  char letter = 0;
  unsigned long long value = 0;  // NOLINT(google-runtime-int): sscanf's own type
  if (std::sscanf(name.c_str(), "%c-%16llx", &letter, &value) != 2) return false;
  for (size_t i = 0; i < kSpoolLanes; ++i) {
    if (letter != kLaneLetters[i]) continue;
    *lane = static_cast<SpoolLane>(i);
    *number = value;
    return name == SegmentName(*lane, *number);
  }
  return false;
}

absl::Status ReadAt(int fd, uint64_t offset, size_t size, const std::string& path,
                    std::string* out) {
  out->resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t got =
        pread(fd, out->data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus(errno, "read " + path);
    if (got == 0) break;  // shorter than it was: the checksum will tell
    done += static_cast<size_t>(got);
  }
  out->resize(done);
  return absl::OkStatus();
}

absl::Status WriteAt(int fd, uint64_t offset, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return base::ErrnoStatus(errno, "write " + path);
    bytes.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> LockDirectory(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::ErrnoStatus(errno, "lock " + path);
    std::array<char, 32> holder{};
    const ssize_t got = pread(fd.get(), holder.data(), holder.size() - 1, 0);
    const std::string pid(holder.data(), got > 0 ? static_cast<size_t>(got) : 0);
    return absl::FailedPreconditionError(absl::StrFormat(
        "the spool %s is in use by another agent (pid %s): stop that one, or give this agent a "
        "spool.directory of its own",
        directory, pid.empty() ? "unknown" : pid));
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd.get(), 0) != 0) return base::ErrnoStatus(errno, "truncate " + path);
  RETURN_IF_ERROR(WriteAt(fd.get(), 0, pid, path));
  return fd;
}

}  // namespace

std::string_view Spool::Name(DropCause cause) {
  constexpr std::array<std::string_view, kDropCauses> kNames = {"bytes", "age", "damage",
                                                                "refused"};
  return kNames[static_cast<size_t>(cause)];
}

Spool::Dropped& Spool::Dropped::operator+=(const Dropped& other) {
  batches += other.batches;
  requests += other.requests;
  spans += other.spans;
  bytes += other.bytes;
  return *this;
}

Spool::Spool(SpoolOptions options, base::UniqueFd lock)
    : options_(std::move(options)), lock_(std::move(lock)) {}

Spool::~Spool() {
  absl::MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    lane.writing = false;
    DeleteFinished(lane);
  }
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(SpoolOptions options, int64_t now_ns) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    return base::ErrnoStatus(error.value(), "make the spool directory " + options.directory);
  }
  if (options.segment_bytes == 0) {
    options.segment_bytes = std::clamp(options.max_bytes / 16, kSmallestSegment, kLargestSegment);
  }
  ASSIGN_OR_RETURN(base::UniqueFd lock, LockDirectory(options.directory));
  std::unique_ptr<Spool> spool(new Spool(std::move(options), std::move(lock)));
  {
    absl::MutexLock held(&spool->mu_);
    RETURN_IF_ERROR(spool->Load());
    spool->MakeRoom(0);
  }
  spool->DropOld(now_ns);
  return spool;
}

absl::Status Spool::Load() {
  std::vector<std::unique_ptr<Segment>> found;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(options_.directory, error)) {
    auto segment = std::make_unique<Segment>();
    segment->path = file.path().string();
    if (ParseSegmentName(file.path().filename().string(), &segment->lane, &segment->number)) {
      found.push_back(std::move(segment));
    }
  }
  if (error) return base::ErrnoStatus(error.value(), "list " + options_.directory);
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a->number < b->number; });
  for (std::unique_ptr<Segment>& segment : found) {
    next_segment_ = segment->number + 1;
    Lane& lane = lanes_[static_cast<size_t>(segment->lane)];
    RETURN_IF_ERROR(LoadSegment(lane, std::move(segment)));
  }
  return absl::OkStatus();
}

absl::Status Spool::LoadSegment(Lane& lane, std::unique_ptr<Segment> segment) {
  const base::UniqueFd fd(open(segment->path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open " + segment->path);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return base::ErrnoStatus(errno, "stat " + segment->path);
  std::string bytes;
  RETURN_IF_ERROR(ReadAt(fd.get(), 0, static_cast<size_t>(status.st_size), segment->path, &bytes));
  segment->bytes = bytes.size();
  SpoolSegmentReader reader(bytes);
  while (reader.Next()) {
    const SpoolRecord& record = reader.record();
    // A batch whose first write was given up may be there twice.
    if (!lane.entries.empty() && lane.entries.back().record.epoch == record.epoch &&
        lane.entries.back().record.sequence >= record.sequence) {
      continue;
    }
    lane.entries.push_back({record, reader.offset(), segment.get(), State::kWaiting});
    segment->newest_ns = std::max(segment->newest_ns, record.time_ns);
    ++segment->entries;
    ++segment->unacknowledged;
    ++unacknowledged_;
  }
  if (reader.damaged_stretches() > 0) {
    const Dropped damaged = {.batches = reader.damaged_stretches(),
                             .requests = reader.damaged_requests(),
                             .spans = reader.damaged_spans(),
                             .bytes = reader.damaged_bytes()};
    dropped_[static_cast<size_t>(DropCause::kDamage)] += damaged;
    untold_ += damaged;
    LOG(WARNING) << "spool: " << segment->path << " is damaged: skipped " << damaged.bytes
                 << " bytes, kept " << segment->entries << " batches";
  }
  bytes_ += segment->bytes;
  lane.segments.push_back(std::move(segment));
  DeleteFinished(lane);
  return absl::OkStatus();
}

absl::Status Spool::StartSegment(SpoolLane id) {
  auto segment = std::make_unique<Segment>();
  segment->lane = id;
  segment->number = next_segment_++;
  segment->path = options_.directory + "/" + SegmentName(id, segment->number);
  segment->fd.reset(open(segment->path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!segment->fd.valid()) return base::ErrnoStatus(errno, "create " + segment->path);
  // The file's name must survive a power cut too.
  const base::UniqueFd directory(
      open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) {
    absl::Status status = base::ErrnoStatus(errno, "sync " + options_.directory);
    unlink(segment->path.c_str());
    return status;
  }
  Lane& lane = lanes_[static_cast<size_t>(id)];
  lane.segments.push_back(std::move(segment));
  lane.writing = true;
  return absl::OkStatus();
}

absl::Status Spool::Append(const SpoolRecord& record, std::string_view payload) {
  const uint64_t size = kSpoolHeaderBytes + payload.size();
  if (payload.size() > kMaxSpoolPayloadBytes || size > options_.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("a batch of %d bytes does not fit in the spool of %d bytes", payload.size(),
                        options_.max_bytes));
  }
  const std::string bytes = EncodeSpoolRecord(record, payload);
  absl::MutexLock lock(&mu_);
  Lane& lane = lanes_[static_cast<size_t>(record.lane)];
  if (lane.writing && lane.segments.back()->bytes + size > options_.segment_bytes) {
    CloseWriting(lane);
    DeleteFinished(lane);
  }
  MakeRoom(size);
  while (lane.entries.size() >= kMaxEntries) DropFirst(lane, DropCause::kBytes);
  if (!lane.writing) RETURN_IF_ERROR(StartSegment(record.lane));
  Segment& segment = *lane.segments.back();
  absl::Status status = WriteAt(segment.fd.get(), segment.bytes, bytes, segment.path);
  if (status.ok() && fdatasync(segment.fd.get()) != 0) {
    status = base::ErrnoStatus(errno, "sync " + segment.path);
  }
  if (!status.ok()) {
    // What a failed sync left behind cannot be known. The torn record is cut off if that works;
    // if not, its checksum will tell.
    if (ftruncate(segment.fd.get(), static_cast<off_t>(segment.bytes)) != 0) {
      PLOG(WARNING) << "spool: cannot cut off a torn record of " << segment.path;
    }
    CloseWriting(lane);
    DeleteFinished(lane);
    return status;
  }
  lane.entries.push_back({record, segment.bytes, &segment, State::kWaiting});
  Entry& entry = lane.entries.back();
  entry.record.payload_size = static_cast<uint32_t>(payload.size());
  entry.record.payload_crc = SpoolCrc(payload);
  segment.bytes += size;
  segment.newest_ns = std::max(segment.newest_ns, record.time_ns);
  ++segment.entries;
  ++segment.unacknowledged;
  ++unacknowledged_;
  bytes_ += size;
  return absl::OkStatus();
}

void Spool::CloseWriting(Lane& lane) {
  lane.segments.back()->fd.reset();
  lane.writing = false;
}

// Deletes what is acknowledged before anything that is not, and spans before aggregates.
void Spool::MakeRoom(uint64_t bytes) {
  while (bytes_ + bytes > options_.max_bytes) {
    Lane* victim = nullptr;
    for (Lane& lane : lanes_) {
      if (!lane.segments.empty() && lane.segments.front()->unacknowledged == 0) victim = &lane;
    }
    for (size_t i = kSpoolLanes; i-- > 0 && victim == nullptr;) {
      if (!lanes_[i].segments.empty()) victim = &lanes_[i];
    }
    if (victim == nullptr) return;
    DropFirst(*victim, DropCause::kBytes);
  }
}

void Spool::DropFirst(Lane& lane, DropCause cause) {
  const Segment* segment = lane.segments.front().get();
  for (size_t i = 0; i < segment->entries; ++i) {
    if (lane.entries[i].state == State::kWaiting) {
      CountDrop(cause, lane.entries[i].record);
      Finish(lane.entries[i], State::kGone);
    }
  }
  RemoveFirst(lane);
}

// Removes the lane's first segment with its entries; all of them are finished.
void Spool::RemoveFirst(Lane& lane) {
  if (lane.segments.size() == 1 && lane.writing) CloseWriting(lane);
  const Segment& segment = *lane.segments.front();
  if (unlink(segment.path.c_str()) != 0 && errno != ENOENT) {
    PLOG(WARNING) << "spool: cannot delete " << segment.path;
  }
  bytes_ -= segment.bytes;
  lane.first_ordinal += segment.entries;
  lane.entries.erase(lane.entries.begin(),
                     lane.entries.begin() + static_cast<ptrdiff_t>(segment.entries));
  lane.segments.pop_front();
}

void Spool::DeleteFinished(Lane& lane) {
  while (!lane.segments.empty() && lane.segments.front()->unacknowledged == 0) {
    const bool in_use = lane.writing && lane.segments.size() == 1;
    // The segment being written goes too once it is worth a new file.
    if (in_use && lane.segments.front()->bytes < options_.segment_bytes / 4) return;
    RemoveFirst(lane);
  }
}

void Spool::Finish(Entry& entry, State state) {
  if (entry.state == State::kWaiting) {
    --entry.segment->unacknowledged;
    --unacknowledged_;
  }
  entry.state = state;
}

void Spool::CountDrop(DropCause cause, const SpoolRecord& record) {
  const Dropped one = {.batches = 1,
                       .requests = record.requests,
                       .spans = record.spans,
                       .bytes = record.payload_size};
  dropped_[static_cast<size_t>(cause)] += one;
  untold_ += one;
}

std::optional<Spool::Item> Spool::Next(Cursor* cursor) {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < kSpoolLanes; ++i) {
    Lane& lane = lanes_[i];
    uint64_t& next = cursor->next[i];
    next = std::max(next, lane.first_ordinal);
    while (next - lane.first_ordinal < lane.entries.size()) {
      Entry& entry = lane.entries[next++ - lane.first_ordinal];
      if (entry.state != State::kWaiting) continue;
      std::string payload;
      if (ReadPayload(entry, &payload)) return Item{entry.record, std::move(payload)};
      CountDrop(DropCause::kDamage, entry.record);
      Finish(entry, State::kGone);
    }
  }
  return std::nullopt;
}

bool Spool::ReadPayload(const Entry& entry, std::string* payload) {
  const Segment& segment = *entry.segment;
  base::UniqueFd opened;
  int fd = segment.fd.get();
  if (fd < 0) {
    opened.reset(open(segment.path.c_str(), O_RDONLY | O_CLOEXEC));
    fd = opened.get();
  }
  absl::Status status = fd < 0 ? base::ErrnoStatus(errno, "open " + segment.path)
                               : ReadAt(fd, entry.offset + kSpoolHeaderBytes,
                                        entry.record.payload_size, segment.path, payload);
  if (status.ok() && SpoolCrc(*payload) != entry.record.payload_crc) {
    status = absl::DataLossError(segment.path + ": a batch does not match its checksum");
  }
  if (!status.ok()) LOG(WARNING) << "spool: skipped a batch: " << status.message();
  return status.ok();
}

bool Spool::AtEnd(const Cursor& cursor) const {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < kSpoolLanes; ++i) {
    const Lane& lane = lanes_[i];
    for (uint64_t next = std::max(cursor.next[i], lane.first_ordinal);
         next - lane.first_ordinal < lane.entries.size(); ++next) {
      if (lane.entries[next - lane.first_ordinal].state == State::kWaiting) return false;
    }
  }
  return true;
}

void Spool::Acknowledge(uint64_t epoch, uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    lane.first_waiting = std::max(lane.first_waiting, lane.first_ordinal);
    bool all_done = true;
    for (size_t i = lane.first_waiting - lane.first_ordinal; i < lane.entries.size(); ++i) {
      Entry& entry = lane.entries[i];
      if (entry.record.epoch == epoch && entry.record.sequence > sequence) break;
      if (entry.record.epoch == epoch && entry.state == State::kWaiting) {
        Finish(entry, State::kAcknowledged);
      }
      all_done = all_done && entry.state != State::kWaiting;
      if (all_done) ++lane.first_waiting;
    }
    DeleteFinished(lane);
  }
}

void Spool::ForgetAcknowledgements() {
  absl::MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    lane.first_waiting = lane.first_ordinal;
    for (Entry& entry : lane.entries) {
      if (entry.state != State::kAcknowledged) continue;
      entry.state = State::kWaiting;
      ++entry.segment->unacknowledged;
      ++unacknowledged_;
    }
  }
}

void Spool::Refuse(uint64_t epoch, uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    for (Entry& entry : lane.entries) {
      if (entry.record.epoch == epoch && entry.record.sequence == sequence &&
          entry.state == State::kWaiting) {
        CountDrop(DropCause::kRefused, entry.record);
        Finish(entry, State::kGone);
      }
    }
    DeleteFinished(lane);
  }
}

void Spool::DropOld(int64_t now_ns) {
  absl::MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    while (!lane.segments.empty() &&
           lane.segments.front()->newest_ns < now_ns - options_.max_age_ns) {
      DropFirst(lane, DropCause::kAge);
    }
  }
}

uint64_t Spool::bytes() const {
  absl::MutexLock lock(&mu_);
  return bytes_;
}

uint64_t Spool::unacknowledged() const {
  absl::MutexLock lock(&mu_);
  return unacknowledged_;
}

std::array<Spool::Dropped, Spool::kDropCauses> Spool::dropped() const {
  absl::MutexLock lock(&mu_);
  return dropped_;
}

Spool::Dropped Spool::TakeDropped() {
  absl::MutexLock lock(&mu_);
  return std::exchange(untold_, {});
}

}  // namespace kindling::agent
