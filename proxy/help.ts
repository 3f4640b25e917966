// What `--help` says behind each command's flags.

export const RELAY_HELP = `
Examples:
  ehlowire relay --listen :2525 --upstream 10.0.0.5:25
      forward port 2525 to the mail server; a greeting that never ends is completed after 20 s,
      and at once from the next connection on
  ehlowire relay --listen :25 --upstream 10.0.0.5:25 --repair now --log /var/log/ehlowire.log
      the server is known to greet truncated: do not wait (never in front of postscreen)
  ehlowire relay --listen :25 --upstream 10.0.0.5:25 --proxy-protocol out-v2
      tell the server who the client is (postfix: smtpd_upstream_proxy_protocol=haproxy)
  ehlowire relay --listen :8025 --transparent
      on the router between clients and servers: relay what its rules divert to port 8025; server and client see
      each other's addresses, not the relay's (README, "On the router"); needs root or cap_net_admin

Signals: TERM or INT waits until open connections end, a second one ends them; HUP reopens the log and reads
the configuration again: policy.* then holds for new connections, all else needs a restart.
A port below 1024 needs root, or: setcap cap_net_bind_service=+ep "$(readlink -f "$(which node)")"
All configuration keys, with their EHLOWIRE_* variables: CONFIG.md`;

export const CHECK_HELP = `
Examples:
  ehlowire check mx.example:25
  ehlowire check 10.0.0.5:25 --fail-on proved       exit 3 where the greeting is provably broken
  ehlowire check 10.0.0.5:25 --json --set greeting.patience=5s

It waits for the last line of the greeting as long as a patient client does (greeting.patience, 20 s). Then it
sends EHLO and QUIT. It never sends mail.
Exit codes: 0 fine, 1 no connection or no SMTP, 2 wrong usage, 3 found what --fail-on names`;

export const ANALYZE_HELP = `
Examples:
  ehlowire analyze incident.pcapng
      ladders of the connections with a verdict, phase times, verdicts by client network, what it means
  ehlowire analyze *.pcap --only 198.51.100.0/24 --evidence report/
      of one network; for every connection with a verdict a capture with comments and a page for a ticket
  ssh firewall tcpdump -i eth1 -U -w - port 25 | ehlowire analyze -
      standard input, until it ends or Ctrl-C
  ehlowire analyze incident.pcap --json --fail-on proved
      JSON lines, one event a line; exit 3 if a verdict about the path is proved
  ehlowire analyze --wan outside.pcap --dmz inside.pcap --evidence report/
      what one side of a firewall saw and the other did not; for every connection with a verdict the captures
      of both sides and one page; analyze --wan --dmz of these captures gives the same verdict
  ehlowire analyze --live eth0
      an interface, until Ctrl-C; needs root, or cap_net_raw, and libpcap
  ehlowire analyze --live eth0 --probe
      the same in line, on the interface towards the clients: a client that is silent for 3 s gets an empty
      segment in the server's name (a probe); its answer proves what was dropped

It reads pcap and pcapng, also with gzip, and tunnels in them (GRE, ERSPAN, VXLAN, GENEVE, MPLS, PPPoE, IP in IP).
Several files are read as one, in order of time. TCP ports other than 25, 587, 465 (TLS) and 2525: --port.
Exit codes: 0 fine, 1 a capture is cut or damaged (its intact part was used), 2 wrong usage or no capture,
3 found what --fail-on names`;

export const POLICY_HELP = `
Examples:
  ehlowire policy --capture today.pcapng
      what the rules would refuse or change as they are by default, by rule and client network
  ehlowire policy --capture *.pcap.gz --config /etc/ehlowire/relay.json --set policy.lines=enforce
      the rules of a file, and one that is to become stricter
  ehlowire policy --capture today.pcapng --all
      every rule as if it were enforced
  ehlowire policy --log /var/log/ehlowire-relay/events.log.1 /var/log/ehlowire-relay/events.log --json
      what a running ehlowire refused and reported, oldest file first, as one JSON object
  ssh firewall tcpdump -U -w - port 25 | ehlowire policy --capture -

It changes nothing, and needs no root. What is in TLS cannot be judged, nor what a capture lacks. A log has the rules that
were off only in part: a capture shows more. Rules that count (policy.load) are not played.
What to do with the answer: the runbook permanent.md.
Exit codes: 0 fine, whatever was found; 1 a file is cut or damaged (its intact part was used), 2 wrong usage or no such file`;

export const TRACE_HELP = `
Examples:
  ehlowire trace mx.example
      which hop on the way to port 25 of mx.example drops, holds, changes or answers EHLO; about 15 s
  ehlowire trace 10.0.0.5:587 --deep --evidence report/
      also HELO, ehlo, EHLO in two segments, full-size segments, STARTTLS, MAIL with SIZE and a TLS ClientHello;
      all packets of it as a capture with comments
  ehlowire trace mx.example -n --json --fail-on proved
      no names of hops; one JSON object for each hop and verdict; exit 3 if one is proved

It connects as a mail client does, waits for the greeting, and sends copies of segments whose TTL ends at each hop: a
router answers "time exceeded" and quotes what it received. First a control segment (the octet before the next one,
which changes nothing at the server), then EHLO and SYN, each three times a hop. Copies of EHLO never get as far as the
server. Then the real EHLO and QUIT follow: to the server it is one session without a mail.
What drops on arrival looks like the link before it: "between hop 2 and hop 3, or at hop 3". Not visible are routers
that answer no ICMP, and a source address that Linux translates. It needs root or CAP_NET_RAW, and libpcap.
Exit codes: 0 done, whatever was found; 1 no connection, no greeting, no rights; 2 wrong usage; 3 found what --fail-on
names (a translated address, a smaller MSS and a changed DSCP are reported and do not count)`;

export const MEASURE_HELP = `
Examples:
  ehlowire measure mx.example
      10 s, 10 sessions a second: greeting, EHLO, QUIT; no mail
  ehlowire measure mx.example --rcpt test@example.com --rate 50 --for 60s --size 20k
      one message in each session; sessions begin on schedule, also while the server stalls
  ehlowire measure 10.0.0.5:25 --rate max --concurrency 20 --sessions 10000 --rcpt test@example.com
      as fast as the server takes them, 20 at a time
  ehlowire measure 10.0.0.5:25 --against 10.0.1.5:25 --rcpt test@example.com --rounds 9
      the same load by two ways in turns, as through a firewall and around it: both tables and their ratio
  ehlowire measure --sink 10.0.0.9:2525
      the other end: takes mail and throws it away, until Ctrl-C

It connects only to the servers that are named. Without --rcpt it sends no mail. Its mail is marked as a test
(Subject, Auto-Submitted, X-Ehlowire-Measure) and has the null sender unless --from names one.
Phases have the names of the event log. Ctrl-C prints what was counted so far. Benchmarks: the runbook measure.md.
Exit codes: 0 measured; 1 no session was as planned, or a name has no address; 2 wrong usage`;

/** `more`: lines of other folders' commands. */
export const programHelp = (more: string): string => `
Start here:
  ehlowire demo                     see it work, on this machine only
  ehlowire check mx.example:25      judge a server's greeting
  ehlowire trace mx.example         which hop on the path drops, holds or changes EHLO
  ehlowire relay --help             relay connections to a server
  ehlowire analyze FILE             what the path did to SMTP in a capture
  ehlowire policy --capture FILE    what the hardening rules would refuse
  ehlowire measure mx.example       what a path delivers: sessions a second, the times of each phase
${more}
Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 found what --fail-on names`;
