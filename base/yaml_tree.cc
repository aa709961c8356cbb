#include "base/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <sstream>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::base {
namespace {

// A comment appended to the text. yaml-cpp takes the end of the file for the end of an open quote;
// a scalar that has swallowed this is one.
constexpr char kEnd[] = "#end-of-kindling-configuration";

// Builds the tree from yaml-cpp's events; its own node type would follow aliases.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlNode* root, std::vector<YamlFault>* faults) : root_(root), faults_(faults) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    YamlNode node;
    node.line = mark.line + 1;
    Add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fault(mark.line + 1, "aliases (*name) are not supported: write the value out");
    OnNull(mark, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    CheckTag(mark, tag);
    YamlNode node;
    node.line = mark.line + 1;
    if (value.find(kEnd) != std::string::npos) {
      Fault(node.line, "not valid YAML: the quote that opens here is never closed");
      return Add(std::move(node));
    }
    node.quoted = tag == "!";
    // yaml-cpp reports "null" and "Null" as scalars.
    const bool is_null = !node.quoted && (value == "null" || value == "Null" || value == "NULL");
    if (!is_null) {
      node.kind = YamlNode::Kind::kScalar;
      node.text = value;
    }
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map whose end has not come yet.
  struct Frame {
    YamlNode node;
    bool has_key = false;
    YamlNode key;
  };

  void Fault(int line, std::string what) { faults_->push_back({line, std::move(what)}); }

  void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    Fault(mark.line + 1, "tags (!name) are not supported");
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    CheckTag(mark, tag);
    if (skipped_ > 0 || frames_.size() >= kMaxYamlDepth) {
      if (skipped_++ == 0) {
        Fault(mark.line + 1, absl::StrFormat("nested deeper than %d levels", kMaxYamlDepth));
      }
      return;
    }
    Frame& frame = frames_.emplace_back();
    frame.node.kind = kind;
    frame.node.line = mark.line + 1;
  }

  void Close() {
    if (skipped_ > 0) {
      // What was too deep stands as nothing, so that keys and values stay in step.
      if (--skipped_ == 0) Add(YamlNode{.line = frames_.back().node.line});
      return;
    }
    YamlNode node = std::move(frames_.back().node);
    frames_.pop_back();
    Add(std::move(node));
  }

  void Add(YamlNode node) {
    if (skipped_ > 0) return;
    if (frames_.empty()) {
      *root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlNode::Kind::kList) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.has_key) {
      frame.key = std::move(node);
      frame.has_key = true;
    } else {
      AddEntry(frame, std::move(node));
    }
  }

  void AddEntry(Frame& frame, YamlNode value) {
    frame.has_key = false;
    if (frame.key.kind != YamlNode::Kind::kScalar) {
      Fault(frame.key.line, "a key must be text");
      return;
    }
    YamlNode::Entry& entry = frame.node.entries.emplace_back();
    entry.key = std::move(frame.key.text);
    entry.line = frame.key.line;
    entry.value = std::move(value);
  }

  YamlNode* const root_;
  std::vector<YamlFault>* const faults_;
  std::vector<Frame> frames_;
  int skipped_ = 0;  // open lists and maps below the deepest level
};

}  // namespace

std::vector<YamlFault> ParseYaml(std::string_view text, YamlNode* root) {
  *root = YamlNode();
  std::vector<YamlFault> faults;
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    faults.push_back({0, absl::StrFormat("byte %d is NUL: this is not a text file", nul)});
    return faults;
  }
  TreeBuilder builder(root, &faults);
  try {
    std::istringstream stream(absl::StrFormat("%s\n%s\n", text, kEnd));
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    YamlNode second;
    TreeBuilder second_builder(&second, &faults);
    if (parser.HandleNextDocument(second_builder)) {
      faults.push_back({second.line, "a second document (---): a configuration is one document"});
    }
  } catch (const YAML::Exception& error) {
    // A negative line is yaml-cpp's null mark.
    const std::string where =
        error.mark.column < 0 ? "" : absl::StrFormat(" (column %d)", error.mark.column + 1);
    faults.push_back(
        {error.mark.line < 0 ? 0 : error.mark.line + 1, "not valid YAML: " + error.msg + where});
  } catch (const std::exception& error) {
    faults.push_back({0, absl::StrFormat("not valid YAML: %s", error.what())});
  }
  return faults;
}

}  // namespace kindling::base
