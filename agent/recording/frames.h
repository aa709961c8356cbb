#pragma once

#include "agent/capture/events.h"
#include "agent/identity/process_facts.h"
#include "kindling/recording/v1/recording.pb.h"

// Events to and from their recorded form. Decoding checks what comes from the file: out-of-range
// addresses, enums and sizes give false.
namespace kindling::agent {

namespace recorded = ::kindling::recording::v1;

void Encode(const ConnOpen& event, recorded::ConnOpen* out);
void Encode(const ConnectFailure& event, recorded::ConnectFailure* out);
void Encode(const ConnCounters& event, recorded::ConnCounters* out);
void Encode(const TcpSample& sample, recorded::TcpSample* out);
void Encode(const ListenerSample& sample, recorded::ListenerSample* out);
void Encode(const DropSample& sample, recorded::DropSample* out);
void Encode(const DatagramSample& sample, recorded::DatagramSample* out);
void Encode(const DataEvent& event, recorded::Data* out);
void Encode(const ListenEvent& event, recorded::Listen* out);
void Encode(const TaskEvent& event, recorded::Task* out);
void Encode(const KernelLoss& loss, recorded::KernelLoss* out);
void Encode(const NatEvent& event, recorded::Nat* out);
void Encode(const NetworkReading& reading, recorded::NetworkReading* out);
void Encode(uint32_t tgid, const ProcessFacts& facts, recorded::ProcessFacts* out);

bool Decode(const recorded::ConnOpen& in, ConnOpen* out);
bool Decode(const recorded::ConnectFailure& in, ConnectFailure* out);
bool Decode(const recorded::ConnCounters& in, ConnCounters* out);
bool Decode(const recorded::TcpSample& in, TcpSample* out);
bool Decode(const recorded::ListenerSample& in, ListenerSample* out);
bool Decode(const recorded::DropSample& in, DropSample* out);
bool Decode(const recorded::DatagramSample& in, DatagramSample* out);
// out->bytes points into `in`, which must outlive its use.
bool Decode(const recorded::Data& in, DataEvent* out);
bool Decode(const recorded::Listen& in, ListenEvent* out);
bool Decode(const recorded::Task& in, TaskEvent* out);
bool Decode(const recorded::KernelLoss& in, KernelLoss* out);
bool Decode(const recorded::Nat& in, NatEvent* out);
bool Decode(const recorded::NetworkReading& in, NetworkReading* out);
bool Decode(const recorded::ProcessFacts& in, ProcessFacts* out);

}  // namespace kindling::agent
