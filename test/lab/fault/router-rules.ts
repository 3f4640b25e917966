// What makes a Linux router more than a router, as shell scripts for its namespace. `from`: its device on the
// client's side. IPv4 and IPv6.

/** Where firewall_proxy.py listens. */
export const PROXY_PORT = 2525;

/** nft(8) SYNPROXY: the SYN is not tracked, what conntrack calls invalid is the handshake's end. */
export const synproxy = (from: string): string => `
sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
nft -f - <<'END'
table inet guard {
  chain raw { type filter hook prerouting priority raw; policy accept; iif ${from} tcp dport 25 tcp flags syn notrack; }
  chain forward { type filter hook forward priority filter; policy accept;
    iif ${from} tcp dport 25 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm;
    meta l4proto tcp ct state invalid drop; }
}
END`;

/** Connections to port 25 are for a transparent socket here, and so is what comes back for it. */
export const divert = (from: string): string => `
for family in -4 -6; do
  ip $family rule add fwmark 1 lookup 100 2>/dev/null || true
  ip $family route replace local default dev lo table 100
done
nft -f - <<'END'
table inet divert {
  chain prerouting { type filter hook prerouting priority mangle; policy accept;
    socket transparent 1 meta mark set 1 accept;
    iif ${from} tcp dport 25 tproxy to :${PROXY_PORT} meta mark set 1 accept;
  }
}
END`;
