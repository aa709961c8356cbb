#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kindling::agent::dns {

// Puts DNS messages together for tests, right or wrong.
class MessageBuilder {
 public:
  static constexpr uint16_t kQueryFlags = 0x0100;     // RD
  static constexpr uint16_t kResponseFlags = 0x8180;  // QR RD RA

  MessageBuilder(uint16_t id, uint16_t flags) : id_(id), flags_(flags) {}

  MessageBuilder& Question(std::string_view name, uint16_t type);
  // An answer whose owner is a pointer to the first question's name.
  MessageBuilder& Answer(uint16_t type, std::string_view data);
  MessageBuilder& Edns();

  std::string Datagram() const;
  // With its length before it.
  std::string Framed() const;

 private:
  uint16_t id_;
  uint16_t flags_;
  uint16_t questions_ = 0;
  uint16_t answers_ = 0;
  uint16_t additionals_ = 0;
  std::string body_;
};

std::string U16(uint16_t value);
// "\3www\4test\0"
std::string EncodedName(std::string_view name);

std::string Query(uint16_t id, std::string_view name, uint16_t type);
// An A or AAAA response with one address in wire form.
std::string AddressResponse(uint16_t id, std::string_view name, uint16_t type,
                            std::string_view address);
std::string ErrorResponse(uint16_t id, std::string_view name, uint16_t type, uint8_t rcode);
std::string Framed(std::string_view message);

}  // namespace kindling::agent::dns
