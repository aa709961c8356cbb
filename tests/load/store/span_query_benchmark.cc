// span_query_benchmark --directory STORE [--spans 1000000] [--questions 200] [--rate 10000]
// Puts spans into a new store, or uses the one that is there, and asks it for traces, for children
// and for pages of a hundred, on one thread. Prints how long each took, by the clock and of the
// CPU, as JSON.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "storage/rocks_store.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/random.h"
#include "tests/load/store/traffic.h"

namespace kindling::load {
namespace {

constexpr char kTenant[] = "default";
constexpr size_t kPage = 100;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kWindowNs = 900 * kSecondNs;

int64_t NowNs() { return base::SystemClock().BootNs(); }

// CPU time of this thread: others may be at work on the machine.
int64_t CpuNs() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * kSecondNs + time.tv_nsec;
}

// Of sorted times, in ms.
double Quantile(const std::vector<int64_t>& times, size_t percent) {
  return static_cast<double>(times[times.size() * percent / 100]) / 1e6;
}

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "span_query_benchmark: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

void Fill(storage::Store& store, size_t spans, double rate) {
  TrafficOptions options;
  options.edges = false;
  options.spans_per_second = rate;
  Traffic traffic(options);
  size_t count = 0;
  for (uint64_t sequence = 1; count < spans; ++sequence) {
    std::vector<model::Batch> batches = traffic.NextWindow();
    for (model::Batch& batch : batches) {
      batch.tenant = batch.cluster = kTenant;
      batch.id.sequence = sequence;
      count += batch.spans.size();
    }
    Check(store.Append(std::move(batches)));
  }
  Check(store.admin().Compact());
}

class Questions {
 public:
  Questions(storage::Store& store, size_t count, Random& random)
      : store_(store), count_(count), random_(random) {}

  // Every so many of all spans.
  void Sample() {
    storage::SpanSearch all = Search();
    all.start_ns = 0;
    size_t seen = 0;
    Check(store_
              .SearchSpans(all,
                           [&](const model::Span& span) {
                             last_ns_ = std::max(last_ns_, span.start_ns);
                             ++seen;
                             if (samples_.size() < count_) {
                               samples_.push_back(span);
                             } else if (const size_t i = random_.Below(seen); i < count_) {
                               samples_[i] = span;
                             }
                             return INT64_MIN;
                           })
              .status());
    std::printf("{\n  \"spans\": %zu", seen);
  }

  // `ask` returns how many rows there were.
  void Time(const char* name, const std::function<size_t(const model::Span&)>& ask) {
    std::vector<int64_t> times;
    std::vector<int64_t> cpu_times;
    size_t rows = 0;
    for (const model::Span& like : samples_) {
      const int64_t before_ns = NowNs();
      const int64_t cpu_before_ns = CpuNs();
      rows += ask(like);
      cpu_times.push_back(CpuNs() - cpu_before_ns);
      times.push_back(NowNs() - before_ns);
    }
    std::sort(times.begin(), times.end());
    std::sort(cpu_times.begin(), cpu_times.end());
    std::printf(
        ",\n  \"%s\": {\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"cpu_p50_ms\": %.2f, "
        "\"cpu_p99_ms\": %.2f, \"rows\": %.1f}",
        name, Quantile(times, 50), Quantile(times, 99), Quantile(cpu_times, 50),
        Quantile(cpu_times, 99), static_cast<double>(rows) / static_cast<double>(times.size()));
    std::fflush(stdout);
  }

  size_t Find(storage::Store::SpanIds ids) {
    ids.tenant = ids.cluster = kTenant;
    std::vector<model::Span> spans;
    Check(store_.FindSpans(ids, &spans).status());
    return spans.size();
  }

  size_t Page(storage::SpanSearch search) {
    std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> page;
    Check(store_
              .SearchSpans(search,
                           [&](const model::Span& span) {
                             page.push(storage::RankOf(span, search.order));
                             if (page.size() > kPage) page.pop();
                             return page.size() == kPage ? page.top() : INT64_MIN;
                           })
              .status());
    return page.size();
  }

  storage::SpanSearch Search() const {
    storage::SpanSearch search;
    search.tenant = search.cluster = kTenant;
    search.start_ns = last_ns_ - kWindowNs;
    return search;
  }

 private:
  storage::Store& store_;
  const size_t count_;
  Random& random_;
  std::vector<model::Span> samples_;
  int64_t last_ns_ = 0;
};

void Ask(Questions& questions) {
  using Order = storage::SpanSearch::Order;
  const auto by_service = [&](const model::Span& like) {
    storage::SpanSearch search = questions.Search();
    search.ends = [&like](const storage::SpanEnds& ends) {
      return ends.server.workload == like.server.workload;
    };
    return search;
  };
  const auto slowest = [](storage::SpanSearch search) {
    search.order = Order::kSlowest;
    return search;
  };
  questions.Time("trace", [&](const model::Span& like) {
    return questions.Find({.traces = {like.trace_id}});
  });
  questions.Time("trace_and_alias", [&](const model::Span& like) {
    return questions.Find({.traces = {like.trace_id}, .aliases = {like.trace_id}});
  });
  questions.Time("span",
                 [&](const model::Span& like) { return questions.Find({.spans = {like.id}}); });
  questions.Time("children", [&](const model::Span& like) {
    return questions.Find({.parents = {like.id},
                           .children_start_ns = like.start_ns - kSecondNs,
                           .children_end_ns = like.start_ns + like.duration_ns() + kSecondNs});
  });
  questions.Time("newest", [&](const model::Span&) { return questions.Page(questions.Search()); });
  questions.Time("slowest",
                 [&](const model::Span&) { return questions.Page(slowest(questions.Search())); });
  questions.Time("newest_of_service",
                 [&](const model::Span& like) { return questions.Page(by_service(like)); });
  questions.Time("slowest_of_service", [&](const model::Span& like) {
    return questions.Page(slowest(by_service(like)));
  });
  questions.Time("newest_by_duration", [&](const model::Span& like) {
    storage::SpanSearch search = questions.Search();
    search.min_duration_ns = 10 * like.duration_ns();
    return questions.Page(search);
  });
  questions.Time("newest_by_attribute", [&](const model::Span& like) {
    storage::SpanSearch search = questions.Search();
    if (!like.attributes.empty()) search.attributes = {like.attributes.back()};
    return questions.Page(search);
  });
  questions.Time("newest_by_all", [&](const model::Span& like) {
    storage::SpanSearch search = by_service(like);
    search.min_duration_ns = like.duration_ns() / 2;
    if (!like.attributes.empty()) search.attributes = {like.attributes.back()};
    return questions.Page(search);
  });
  questions.Time("slowest_by_all", [&](const model::Span& like) {
    storage::SpanSearch search = slowest(by_service(like));
    search.min_duration_ns = like.duration_ns() / 2;
    if (!like.attributes.empty()) search.attributes = {like.attributes.back()};
    return questions.Page(search);
  });
}

void Run(Flags& flags) {
  const storage::RocksStoreOptions options{.directory = flags.Text("directory"),
                                           .max_bytes = uint64_t{64} << 30};
  const auto spans = static_cast<size_t>(flags.Whole("spans", 1'000'000));
  const auto count = static_cast<size_t>(flags.Whole("questions", 200));
  const double rate = flags.Number("rate", 10'000);
  flags.CheckAllUsed();
  auto store = storage::OpenRocksStore(options);
  Check(store.status());
  if ((*store)->OldestNs() == 0) Fill(**store, spans, rate);
  Random random(1);
  Questions questions(**store, count, random);
  questions.Sample();
  Ask(questions);
  std::printf("\n}\n");
}

}  // namespace
}  // namespace kindling::load

int main(int argc, char** argv) {
  kindling::load::Flags flags(argc, argv);
  kindling::load::Run(flags);
  return 0;
}
