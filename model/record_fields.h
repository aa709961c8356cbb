#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/filter.h"
#include "model/records.h"

// How filters see the model's records.
//
// Lifetime: the record, and the texts of the names, must outlive these.
namespace kindling::model {

// The two ends of a request by the names that addresses were resolved to; where they are not known,
// empty, or what stands for them.
struct EndNames {
  std::string_view client;
  std::string_view server;
  std::string_view client_host;
  std::string_view server_host;
};

// The names as far as the observer itself knew them.
EndNames NamesByObserver(const Party& client, const Party& server);

class SpanFields final : public FieldSource {
 public:
  SpanFields(const Span& span, const EndNames& names) : span_(span), names_(names) {}

  void Texts(FilterField field, std::string_view attribute, FieldTexts* out) const override;
  std::optional<FieldRange> Range(FilterField field) const override;

 private:
  const Span& span_;
  const EndNames names_;
};

// One row stands for many requests: an ordering holds when it does for any of them, `slow` when any
// was, and bytes are the row's sums.
class EdgeFields final : public FieldSource {
 public:
  EdgeFields(const EdgeStats& edge, const EndNames& names) : edge_(edge), names_(names) {}

  void Texts(FilterField field, std::string_view attribute, FieldTexts* out) const override;
  std::optional<FieldRange> Range(FilterField field) const override;

 private:
  const EdgeStats& edge_;
  const EndNames names_;
};

class ProcessFields final : public FieldSource {
 public:
  explicit ProcessFields(const ProcessEvent& event);

  void Texts(FilterField field, std::string_view attribute, FieldTexts* out) const override;
  std::optional<FieldRange> Range(FilterField field) const override;

 private:
  const ProcessEvent& event_;
  const std::string code_;
};

// A network device, namespace or host; of the last two what they are not of is empty.
class InterfaceFields final : public FieldSource {
 public:
  InterfaceFields(std::string_view host, std::string_view netns, std::string_view device)
      : host_(host), netns_(netns), device_(device) {}

  void Texts(FilterField field, std::string_view attribute, FieldTexts* out) const override;
  std::optional<FieldRange> Range(FilterField) const override { return std::nullopt; }

 private:
  const std::string_view host_;
  const std::string_view netns_;
  const std::string_view device_;
};

}  // namespace kindling::model
