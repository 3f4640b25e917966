/* Headers: from a frame to one TCP segment of a port asked for. */
#ifndef EHLOWIRE_PARSE_H
#define EHLOWIRE_PARSE_H

static __always_inline bool is_asked_for(const struct port_list *list, __u16 port)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < PORTS && list->ports[i]; i++)
		if (list->ports[i] == port)
			return true;
	return false;
}

static __always_inline void mapped(__u8 *to, __u32 address)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &address, 4);
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

/* Offset of the TCP header; fills addresses (source first) and `end`, the offset behind the datagram. -1: none. */
static __always_inline int ipv4_header(struct __sk_buff *skb, struct hand *hand, int at, __u8 *source, __u8 *destination, __u32 *end)
{
	__u8 ip[20];
	if (bpf_skb_load_bytes(skb, at, ip, sizeof(ip))) {
		count(hand, COUNT_MALFORMED, 1);
		return -1;
	}
	int header = (ip[0] & 15) * 4;
	if (ip[9] == IPPROTO_ICMP)
		hand->segment.icmp_at = at + header;
	if (ip[9] != IPPROTO_TCP)
		return -1;
	if (ip[0] >> 4 != 4 || header < 20) {
		count(hand, COUNT_MALFORMED, 1);
		return -1;
	}
	if ((ip[6] & 0x3f) || ip[7]) {
		count(hand, COUNT_FRAGMENTS, 1);
		if ((ip[6] & 0x1f) || ip[7])
			return -1;
		hand->segment.fragment = 1;
	}
	__u32 address;
	__builtin_memcpy(&address, ip + 12, 4);
	mapped(source, address);
	__builtin_memcpy(&address, ip + 16, 4);
	mapped(destination, address);
	__u32 total = ip[2] << 8 | ip[3];
	/* 0: more than the field can say (BIG TCP). */
	*end = total ? at + total : skb->len;
	return at + header;
}

static __always_inline int ipv6_header(struct __sk_buff *skb, struct hand *hand, int at, __u8 *source, __u8 *destination, __u32 *end)
{
	__u8 ip[40];
	if (bpf_skb_load_bytes(skb, at, ip, sizeof(ip))) {
		count(hand, COUNT_MALFORMED, 1);
		return -1;
	}
	if (ip[0] >> 4 != 6)
		return -1;
	__builtin_memcpy(source, ip + 8, 16);
	__builtin_memcpy(destination, ip + 24, 16);
	__u32 length = ip[4] << 8 | ip[5];
	*end = length ? at + 40 + length : skb->len;
	__u8 next = ip[6];
	at += 40;
#pragma unroll
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 extension[4];
		if (next == IPPROTO_TCP)
			return at;
		if (next == IPPROTO_ICMPV6)
			hand->segment.icmp_at = at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT)
			return -1;
		if (bpf_skb_load_bytes(skb, at, extension, sizeof(extension))) {
			count(hand, COUNT_MALFORMED, 1);
			return -1;
		}
		__u32 units = extension[1];
		if (next == IPPROTO_FRAGMENT) {
			/* All of a datagram may be in one (RFC 6946). */
			if (extension[2] || extension[3] & 0xf9) {
				count(hand, COUNT_FRAGMENTS, 1);
				hand->segment.fragment = 1;
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

/* Fills the segment, which is all zero before; of a fragment as much as is in it. False: not ours. */
static __always_inline bool parse(struct __sk_buff *skb, struct hand *hand)
{
	struct segment *s = &hand->segment;
	__u16 type;
	__u8 source[16], destination[16], tcp[20];
	__u32 end = 0;
	int at = link_header(skb, &type);
	if (at < 0)
		return false;
	if (type == ETH_P_IP) {
		at = ipv4_header(skb, hand, at, source, destination, &end);
		s->family = 4;
	} else if (type == ETH_P_IPV6) {
		at = ipv6_header(skb, hand, at, source, destination, &end);
		s->family = 6;
	} else {
		return false;
	}
	/* The compiler would carry it undefined past a failure; the verifier reads that. */
	asm volatile("" : "+r"(end));
	if (at < 0)
		return false;
	if (bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp))) {
		count(hand, COUNT_MALFORMED, 1);
		return false;
	}
	__u16 from = tcp[0] << 8 | tcp[1], to = tcp[2] << 8 | tcp[3];
	__u32 which = COMMON_PORTS;
	const struct port_list *list = bpf_map_lookup_elem(&commons, &which);
	if (!list)
		return false;
	if (is_asked_for(list, to))
		s->from = SIDE_CLIENT;
	else if (is_asked_for(list, from))
		s->from = SIDE_SERVER;
	else
		return false;
	s->flags = tcp[13];
	/* Both ports may be a server's: then the handshake tells. */
	s->both = s->from == SIDE_CLIENT && is_asked_for(list, from);
	if (s->both && (s->flags & (SYN | ACK)) == (SYN | ACK))
		s->from = SIDE_SERVER;
	s->tcp_at = at;
	s->header = (tcp[12] >> 4) * 4;
	s->payload_at = at + s->header;
	if (s->header < 20 || s->payload_at > end || end > skb->len) {
		count(hand, COUNT_MALFORMED, 1);
		return false;
	}
	s->payload = end - s->payload_at;
	s->seq = (__u32)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
	s->ack = (__u32)tcp[8] << 24 | tcp[9] << 16 | tcp[10] << 8 | tcp[11];
	s->window = tcp[14] << 8 | tcp[15];
	if (s->from == SIDE_CLIENT) {
		__builtin_memcpy(s->key.client, source, 16);
		__builtin_memcpy(s->key.server, destination, 16);
		s->key.client_port = from;
		s->key.server_port = to;
	} else {
		__builtin_memcpy(s->key.client, destination, 16);
		__builtin_memcpy(s->key.server, source, 16);
		s->key.client_port = to;
		s->key.server_port = from;
	}
	s->now = bpf_ktime_get_ns();
	return true;
}

#endif
