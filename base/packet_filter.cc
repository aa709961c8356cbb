#include "base/packet_filter.h"

#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string_view>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::base {
namespace {

using Program = std::vector<sock_filter>;

constexpr size_t kMaxInstructions = BPF_MAXINSNS;
constexpr std::array<uint16_t, 7> kNoLinkLayer = {ARPHRD_NONE,    ARPHRD_RAWIP, ARPHRD_TUNNEL,
                                                  ARPHRD_TUNNEL6, ARPHRD_SIT,   ARPHRD_IPGRE,
                                                  ARPHRD_IP6GRE};

sock_filter Load(int ancillary) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + ancillary));
}
sock_filter Reject() { return BPF_STMT(BPF_RET | BPF_K, 0); }
// Skips `skip` instructions if the accumulator is `value`.
sock_filter SkipIf(uint32_t value, size_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<uint8_t>(skip), 0);
}
// Such a skip reaches 255 instructions only, this any number.
sock_filter Skip(size_t skip) { return BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(skip)); }

bool HasWord(std::string_view text, std::string_view word) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  };
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end]))) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<Program> CompileFor(int link_type, const std::string& text, uint32_t snap_bytes) {
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(
      pcap_open_dead(link_type, static_cast<int>(snap_bytes)), pcap_close);
  if (handle == nullptr) return absl::ResourceExhaustedError("libpcap: no memory");
  bpf_program compiled{};
  if (pcap_compile(handle.get(), &compiled, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the packet filter does not compile: %s", pcap_geterr(handle.get())));
  }
  Program program(compiled.bf_len);
  for (size_t i = 0; i < program.size(); ++i) {
    const bpf_insn& instruction = compiled.bf_insns[i];
    program[i] = {instruction.code, instruction.jt, instruction.jf, instruction.k};
  }
  pcap_freecode(&compiled);
  return program;
}

}  // namespace

bool HasNoLinkLayer(uint16_t hardware_type) {
  return std::ranges::find(kNoLinkLayer, hardware_type) != kNoLinkLayer.end();
}

absl::StatusOr<Program> CompilePacketFilter(const std::string& text, uint32_t snap_bytes) {
  if (text.size() > kMaxPacketFilterBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the packet filter is %d bytes long; at most %d are taken", text.size(),
                        kMaxPacketFilterBytes));
  }
  if (text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the packet filter holds a zero byte");
  }
  if (HasWord(text, "vlan")) {
    return absl::InvalidArgumentError(
        "the packet filter asks for `vlan`, which a filter in the kernel cannot see: capture on "
        "the "
        "VLAN's own interface, or without it; tags are kept in the file");
  }
  ASSIGN_OR_RETURN(const Program ethernet, CompileFor(DLT_EN10MB, text, snap_bytes));
  absl::StatusOr<Program> raw = CompileFor(DLT_RAW, text, snap_bytes);
  if (!raw.ok()) raw = Program{Reject()};  // it asks for a link layer

  // The kinds of interfaces, with as many instructions to skip as follow before the programs.
  Program program = {Load(SKF_AD_HATYPE)};
  constexpr size_t kKinds = kNoLinkLayer.size() + 2;
  constexpr size_t kToEthernet = 5;  // past Reject, Skip and the three about loopback
  program.push_back(SkipIf(ARPHRD_ETHER, kKinds - 1 + kToEthernet));
  program.push_back(SkipIf(ARPHRD_LOOPBACK, kKinds - 2 + 2));
  for (size_t i = 0; i < kNoLinkLayer.size(); ++i) {
    program.push_back(SkipIf(kNoLinkLayer[i], kNoLinkLayer.size() - 1 - i + 1));
  }
  program.push_back(Reject());
  program.push_back(Skip(3 + ethernet.size()));
  program.push_back(Load(SKF_AD_PKTTYPE));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1));
  program.push_back(Reject());
  program.insert(program.end(), ethernet.begin(), ethernet.end());
  program.insert(program.end(), raw->begin(), raw->end());
  if (program.size() > kMaxInstructions) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the packet filter compiles to %d instructions; the kernel takes %d",
                        program.size(), kMaxInstructions));
  }
  return program;
}

}  // namespace kindling::base
