/* Headers: from a frame to one TCP segment of a server port. */
#ifndef EHLOWIRE_PARSE_H
#define EHLOWIRE_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include "maps.h"

static __always_inline bool is_server_port(const struct index *index, __u16 port)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < PORTS && index->ports[i]; i++)
		if (index->ports[i] == port)
			return true;
	return false;
}

static __always_inline void put_ipv4_mapped(__u8 *to, __be32 address)
{
	const union {
		__be32 words[2];
		__u64 half;
	} last = { .words = { bpf_htonl(0xffff), address } };
	__u64 *half = __builtin_assume_aligned(to, 8);
	half[0] = 0;
	half[1] = last.half;
}

/* The client becomes the server, and the server the client. */
static __always_inline void swap_sides(struct flow_key *key)
{
	__u64 *client = __builtin_assume_aligned(key->client, 8), *server = __builtin_assume_aligned(key->server, 8);
	__u64 first = client[0], second = client[1];
	client[0] = server[0];
	client[1] = server[1];
	server[0] = first;
	server[1] = second;
	__u16 port = key->client_port;
	key->client_port = key->server_port;
	key->server_port = port;
}

/* `n` octets of the frame from `at`: in the frame itself where they are in its linear part, as headers mostly are, since a call
 * costs more than all that is done with them; else a copy in `room`. NULL: the frame ends before. */
static __always_inline const void *header_at(struct __sk_buff *skb, __u32 at, void *room, __u32 n)
{
	const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	if (data + at + n <= end)
		return data + at;
	return bpf_skb_load_bytes(skb, at, room, n) ? NULL : room;
}

/* Offset of the network header and its EtherType; at most two tags in the frame (802.1Q, 802.1ad). */
static __always_inline int link_header(struct __sk_buff *skb, __u16 *type)
{
	int at = ETH_HLEN;
	*type = bpf_ntohs(skb->protocol);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		__be16 tag[2];
		if (*type != ETH_P_8021Q && *type != ETH_P_8021AD)
			break;
		if (bpf_skb_load_bytes(skb, at, tag, sizeof(tag)))
			return -1;
		*type = bpf_ntohs(tag[1]);
		at += 4;
	}
	return at;
}

/* Offset of the TCP header; fills addresses, the source as if it were the client, and `end`, the offset behind the
 * datagram. -1: none. */
static __always_inline int ipv4_header(struct __sk_buff *skb, struct cpu_scratch *scratch, int at, __u32 *end)
{
	struct segment *s = &scratch->segment;
	struct iphdr room;
	const struct iphdr *ip = header_at(skb, at, &room, sizeof(room));
	if (!ip) {
		count(scratch, COUNT_MALFORMED, 1);
		return -1;
	}
	int header = ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP) {
		if (ip->protocol == IPPROTO_ICMP)
			s->icmp_at = at + header;
		return -1;
	}
	if (ip->version != 4 || header < (int)sizeof(*ip)) {
		count(scratch, COUNT_MALFORMED, 1);
		return -1;
	}
	if (ip->frag_off & bpf_htons(IP_MORE | IP_OFFSET)) {
		count(scratch, COUNT_FRAGMENTS, 1);
		if (ip->frag_off & bpf_htons(IP_OFFSET))
			return -1;
		s->fragment = 1;
	}
	put_ipv4_mapped(s->key.client, ip->saddr);
	put_ipv4_mapped(s->key.server, ip->daddr);
	__u32 total = bpf_ntohs(ip->tot_len);
	/* 0: more than the field can say (BIG TCP). */
	*end = total ? at + total : skb->len;
	return at + header;
}

static __always_inline int ipv6_header(struct __sk_buff *skb, struct cpu_scratch *scratch, int at, __u32 *end)
{
	struct segment *s = &scratch->segment;
	struct ipv6hdr room;
	const struct ipv6hdr *ip = header_at(skb, at, &room, sizeof(room));
	if (!ip) {
		count(scratch, COUNT_MALFORMED, 1);
		return -1;
	}
	if (ip->version != 6)
		return -1;
	__builtin_memcpy(s->key.client, __builtin_assume_aligned(&ip->saddr, 4), 16);
	__builtin_memcpy(s->key.server, __builtin_assume_aligned(&ip->daddr, 4), 16);
	__u32 length = bpf_ntohs(ip->payload_len);
	*end = length ? at + sizeof(*ip) + length : skb->len;
	__u8 next = ip->nexthdr;
	at += sizeof(*ip);
#pragma unroll
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 extension[4];
		if (next == IPPROTO_TCP)
			return at;
		if (next == IPPROTO_ICMPV6)
			s->icmp_at = at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT)
			return -1;
		if (bpf_skb_load_bytes(skb, at, extension, sizeof(extension))) {
			count(scratch, COUNT_MALFORMED, 1);
			return -1;
		}
		__u32 units = extension[1];
		if (next == IPPROTO_FRAGMENT) {
			/* All of a datagram may be in one (RFC 6946). */
			if (extension[2] || extension[3] & 0xf9) {
				count(scratch, COUNT_FRAGMENTS, 1);
				s->fragment = 1;
			}
			if (extension[2] || extension[3] & 0xf8)
				return -1;
			units = 0;
		}
		next = extension[0];
		at += (units + 1) * 8;
	}
	return next == IPPROTO_TCP ? at : -1;
}

/* Fills the segment, which is all zero before; of a fragment as much as is in it. False: no segment of a server port. */
static __always_inline bool parse(struct __sk_buff *skb, struct cpu_scratch *scratch)
{
	struct segment *s = &scratch->segment;
	__u16 type;
	__u32 end = 0;
	int at = link_header(skb, &type);
	if (at < 0)
		return false;
	if (type == ETH_P_IP) {
		at = ipv4_header(skb, scratch, at, &end);
		s->family = 4;
	} else if (type == ETH_P_IPV6) {
		at = ipv6_header(skb, scratch, at, &end);
		s->family = 6;
	} else {
		return false;
	}
	/* After a failure it is not set: without this the compiler reads it there, and the verifier refuses that. */
	asm volatile("" : "+r"(end));
	if (at < 0)
		return false;
	struct tcphdr room;
	const struct tcphdr *tcp = header_at(skb, at, &room, sizeof(room));
	if (!tcp) {
		count(scratch, COUNT_MALFORMED, 1);
		return false;
	}
	__u16 from = bpf_ntohs(tcp->source), to = bpf_ntohs(tcp->dest);
	__u32 which = COMMON_INDEX;
	const struct index *index = bpf_map_lookup_elem(&commons, &which);
	if (!index)
		return false;
	if (is_server_port(index, to))
		s->from = SIDE_CLIENT;
	else if (is_server_port(index, from))
		s->from = SIDE_SERVER;
	else
		return false;
	s->flags = ((const __u8 *)tcp)[13];
	/* Both ports may be servers': then the handshake says which one is the client's. */
	s->both = s->from == SIDE_CLIENT && is_server_port(index, from);
	if (s->both && (s->flags & (SYN | ACK)) == (SYN | ACK))
		s->from = SIDE_SERVER;
	s->tcp_at = at;
	s->header = tcp->doff * 4;
	s->payload_at = at + s->header;
	if (s->header < 20 || s->payload_at > end || end > skb->len) {
		count(scratch, COUNT_MALFORMED, 1);
		return false;
	}
	s->payload = end - s->payload_at;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack_seq);
	s->window = bpf_ntohs(tcp->window);
	s->key.client_port = from;
	s->key.server_port = to;
	if (s->from == SIDE_SERVER)
		swap_sides(&s->key);
	return true;
}

#endif
