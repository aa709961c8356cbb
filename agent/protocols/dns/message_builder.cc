#include "agent/protocols/dns/message_builder.h"

namespace kindling::agent::dns {

std::string U16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string EncodedName(std::string_view name) {
  std::string encoded;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    name.remove_prefix(label.size() == name.size() ? label.size() : label.size() + 1);
    encoded += static_cast<char>(label.size());
    encoded += label;
  }
  return encoded + '\0';
}

MessageBuilder& MessageBuilder::Question(std::string_view name, uint16_t type) {
  ++questions_;
  body_ += EncodedName(name) + U16(type) + U16(1);
  return *this;
}

MessageBuilder& MessageBuilder::Answer(uint16_t type, std::string_view data) {
  ++answers_;
  body_ += "\xc0\x0c" + U16(type) + U16(1) + U16(0) + U16(60) +
           U16(static_cast<uint16_t>(data.size())) + std::string(data);
  return *this;
}

MessageBuilder& MessageBuilder::Edns() {
  ++additionals_;
  body_ += std::string(1, '\0') + U16(41) + U16(1232) + U16(0) + U16(0) + U16(0);
  return *this;
}

std::string MessageBuilder::Datagram() const {
  return U16(id_) + U16(flags_) + U16(questions_) + U16(answers_) + U16(0) + U16(additionals_) +
         body_;
}

std::string MessageBuilder::Framed() const { return dns::Framed(Datagram()); }

std::string Query(uint16_t id, std::string_view name, uint16_t type) {
  return MessageBuilder(id, MessageBuilder::kQueryFlags).Question(name, type).Datagram();
}

std::string AddressResponse(uint16_t id, std::string_view name, uint16_t type,
                            std::string_view address) {
  return MessageBuilder(id, MessageBuilder::kResponseFlags)
      .Question(name, type)
      .Answer(type, address)
      .Datagram();
}

std::string ErrorResponse(uint16_t id, std::string_view name, uint16_t type, uint8_t rcode) {
  return MessageBuilder(id, MessageBuilder::kResponseFlags | rcode).Question(name, type).Datagram();
}

std::string Framed(std::string_view message) {
  return U16(static_cast<uint16_t>(message.size())) + std::string(message);
}

}  // namespace kindling::agent::dns
