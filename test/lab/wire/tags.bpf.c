/* VLAN tags for the lab, on machines whose kernel has no VLAN interfaces: what goes to 198.18.10.0/24 or fd00:10::/32
 * gets one (802.1Q), what goes to 198.18.20.0/24 two (802.1Q in 802.1ad); what comes in loses them. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline int tags_of(struct __sk_buff *skb)
{
	__u8 to[4];
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 30, to, sizeof(to)) || to[0] != 198 || to[1] != 18)
			return 0;
		return to[2] == 10 ? 1 : to[2] == 20 ? 2 : 0;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || bpf_skb_load_bytes(skb, 38, to, sizeof(to)))
		return 0;
	return to[0] == 0xfd && to[3] == 0x10;
}

SEC("tag")
int put_tags(struct __sk_buff *skb)
{
	int tags = tags_of(skb);
	if (tags == 1)
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 10);
	if (tags == 2) {
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 21);
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 20);
	}
	return TC_ACT_OK;
}

SEC("untag")
int take_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 2; i++) {
		if (skb->vlan_present)
			bpf_skb_vlan_pop(skb);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Apache-2.0";
