#include "agent/network/dns_lookups.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace kindling::agent {
namespace {

using dns::QueryStage;

// A query whose end was never told, for its connection was lost.
constexpr int64_t kForgottenNs = 3'600'000'000'000;

constexpr uint8_t kNoError = 0;
constexpr uint8_t kNxDomain = 3;

size_t HashOf(const DnsAsker& asker, std::string_view operation, std::string_view name = {}) {
  return absl::HashOf(asker.observer, asker.owner, asker.peer.bytes, asker.peer.size, asker.port,
                      absl::string_view(operation.data(), operation.size()),
                      absl::string_view(name.data(), name.size()));
}

bool IsWithin(int64_t from_ns, int64_t to_ns, int64_t most_ns) {
  return from_ns != 0 && to_ns - from_ns <= most_ns;
}

}  // namespace

DnsLookups::Sent DnsLookups::OnSent(const DnsAsker& asker, model::Transport transport,
                                    const dns::QueryEvent& event) {
  now_ns_ = std::max(now_ns_, event.at_ns);
  Sent sent{.is_retry = event.is_repeated};
  const size_t hash = HashOf(asker, event.operation, event.name);
  auto found = questions_.find(hash);
  if (found == questions_.end()) {
    if (questions_.size() >= options_.max_questions) return sent;
    found = questions_.try_emplace(hash).first;
  }
  Question& question = found->second;
  const int64_t now_ns = event.sent_ns;
  if (question.open > 0 && now_ns - question.sent_ns >= kLeastRetryNs &&
      now_ns - question.sent_ns <= kMostRetryNs) {
    sent.is_retry = true;
  }
  if (IsWithin(question.given_up_ns, now_ns, kGoesOnWithinNs)) sent.is_retry = true;
  if (transport == model::Transport::kTcp &&
      IsWithin(question.truncated_ns, now_ns, dns::kQueryTimeoutNs)) {
    sent.is_tcp_fallback = true;
    question.truncated_ns = 0;
  }
  ++question.open;
  question.sent_ns = now_ns;
  question.given_up_ns = 0;
  return sent;
}

DnsSearch::Waste DnsLookups::OnOver(const DnsAsker& asker, const dns::QueryEvent& event) {
  now_ns_ = std::max(now_ns_, event.at_ns);
  const bool is_answered = event.stage == QueryStage::kAnswered;
  if (const auto found = questions_.find(HashOf(asker, event.operation, event.name));
      found != questions_.end()) {
    Question& question = found->second;
    if (question.open > 0) --question.open;
    if (is_answered) {
      question.given_up_ns = 0;
      if (event.is_truncated) question.truncated_ns = event.at_ns;
    } else if (event.stage == QueryStage::kUnanswered && question.open == 0) {
      question.given_up_ns = event.at_ns;
    }
    if (question.open == 0 && question.given_up_ns == 0 && question.truncated_ns == 0) {
      questions_.erase(found);
    }
  }
  if (!is_answered || (event.rcode != kNoError && event.rcode != kNxDomain)) return {};
  const size_t hash = HashOf(asker, event.operation);
  auto search = searches_.find(hash);
  if (event.rcode == kNxDomain) {
    if (failed_ >= options_.max_failed || searches_.size() >= options_.max_failed) return {};
    if (search == searches_.end()) search = searches_.try_emplace(hash).first;
    failed_ -= search->second.failed();
    search->second.OnFailed(event.name, event.sent_ns, event.at_ns);
    failed_ += search->second.failed();
    return {};
  }
  if (search == searches_.end()) return {};
  failed_ -= search->second.failed();
  DnsSearch::Waste waste = search->second.OnFound(event.name, event.sent_ns);
  failed_ += search->second.failed();
  return waste;
}

void DnsLookups::Expire() {
  absl::erase_if(questions_, [this](const auto& entry) {
    const Question& question = entry.second;
    if (question.open > 0) return now_ns_ - question.sent_ns > kForgottenNs;
    return !IsWithin(question.given_up_ns, now_ns_, kGoesOnWithinNs) &&
           !IsWithin(question.truncated_ns, now_ns_, dns::kQueryTimeoutNs);
  });
  failed_ = 0;
  absl::erase_if(searches_, [this](auto& entry) {
    const bool is_of_use = entry.second.ForgetBefore(now_ns_ - DnsSearch::kWithinNs);
    failed_ += entry.second.failed();
    return !is_of_use;
  });
}

}  // namespace kindling::agent
