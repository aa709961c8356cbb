#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::model {

// Takes secrets and personal data out of text before it leaves the process: functions of the bytes
// alone (kRuleVersion). What is taken out becomes "*".

// Whether the value of this HTTP header is a secret: authorization, cookies, tokens, keys.
bool IsSecretHeader(std::string_view name);
// Whether the value of a parameter of this name is a secret: password, token, key, ...
bool IsSecretName(std::string_view name);

// The path of a request target without its query: "*" for e-mail addresses, encoded text and long
// tokens. Unlike the template it keeps plain ids. At most `max_bytes`, then "...".
void AppendRedactedPath(std::string_view target, size_t max_bytes, std::string& out);
std::string RedactPath(std::string_view target, size_t max_bytes);

// The query of a request target with every value taken out: "a=*&b=*". "" if there is none.
std::string RedactQuery(std::string_view target, size_t max_bytes);

// A command line whose arguments end in NUL or, the last, at the end, as /proc/PID/cmdline: joined
// by spaces, without the values of secret options ("--password=x", "--token x", "-psecret" of the
// MySQL and MariaDB programs, "-a x" of redis-cli), of secret assignments ("API_KEY=x"), of secret
// headers
// ("Authorization: x"), and without the user part of URLs.
std::string RedactCommandLine(std::string_view arguments, size_t max_bytes);
// The same for arguments that stay apart; what they are called by and run is kept.
std::vector<std::string> RedactArguments(const std::vector<std::string>& arguments);

}  // namespace kindling::model
