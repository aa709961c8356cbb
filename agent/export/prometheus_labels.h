#pragma once

#include <string>

#include "base/metrics_text.h"
#include "model/edge_labels.h"
#include "model/records.h"

// Which labels Kindling gives which of its metrics, and what they hold here.
namespace kindling::agent {

// Of kindling_entity_*: the server and what it was asked.
base::MetricLabels EntityLabels(const model::EdgeStats& row);
// Of kindling_topology_*: client, server and the kind of answer.
base::MetricLabels TopologyLabels(const model::EdgeStats& row);
// Of kindling_tcp_connect_*. `error` is the errno, 0 for a connection.
base::MetricLabels ConnectLabels(const model::EdgeStats& row, int error);
// Of the other kindling_tcp_*: from the end that observed it, whose sending they tell of, to the
// other.
base::MetricLabels TcpLabels(const model::EdgeEnds& ends);
// Of kindling_dns_*: from client to server, and which of them observed it.
base::MetricLabels DnsLabels(const model::EdgeEnds& ends);
// Of kindling_nat_connections_total: from the client to the server, both the true ones.
base::MetricLabels NatLabels(const model::Labels& labels);
// Of kindling_packet_drop*: from client to server, whichever way the packets went.
base::MetricLabels DropLabels(const model::Labels& labels);
// Of kindling_udp_receive_drops_total: the socket's end.
base::MetricLabels UdpReceiveLabels(const model::Labels& labels);
// Of kindling_net_*: those of the series, the host as Kindling names it.
base::MetricLabels NetworkLabels(const model::Labels& labels);
// Of our own histograms.
base::MetricLabels ServerLabels(const model::EdgeStats& row);
base::MetricLabels ClientLabels(const model::EdgeStats& row);

// The errno that `name`, such as "ECONNREFUSED" or a number, stands for; 0: none.
int ErrorNumber(const std::string& name);

}  // namespace kindling::agent
