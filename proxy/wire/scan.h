/* Commands and replies that begin content. */
#ifndef EHLOWIRE_SCAN_H
#define EHLOWIRE_SCAN_H

struct scan {
	const struct record *record;
	/* Where the payload begins in `record->data`, and its octets. */
	__u32 at, n;
	/* A line begins here. */
	__u32 line;
	/* Content to be passed over (BDAT): where it ends, in octets of the payload. */
	__u32 until;
	/* The line that was found begins here, and the content behind it. */
	__u32 found, content;
	bool client;
};

static __always_inline __u8 octet(const struct scan *scan, __u32 i)
{
	__u32 at = scan->at + i;
	if (at >= HEADERS + PAYLOAD)
		return 0;
	return scan->record->data[at];
}

static __always_inline bool is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

/* `BDAT n` (RFC 3030 section 2): the chunk's length; false: not such a line. */
static __always_inline bool chunk_of(const struct scan *scan, __u32 line, __u32 *length)
{
	if ((octet(scan, line) | 32) != 'b' || (octet(scan, line + 1) | 32) != 'd' || (octet(scan, line + 2) | 32) != 'a' ||
	    (octet(scan, line + 3) | 32) != 't' || octet(scan, line + 4) != ' ')
		return false;
	__u64 value = 0;
	__u32 digits = 0;
	for (__u32 i = 0; i < 11; i++) {
		__u8 c = octet(scan, line + 5 + i);
		if (!is_digit(c))
			break;
		value = value * 10 + (c - '0');
		digits++;
	}
	*length = value;
	/* Beyond half the number space nobody could follow it. */
	return digits > 0 && value < 1u << 31;
}

static long scan_octet(__u32 i, void *context)
{
	struct scan *scan = context;
	if (i >= scan->n)
		return 1;
	if (i < scan->until)
		return 0;
	if (octet(scan, i) != '\n')
		return 0;
	if (scan->client) {
		__u32 length;
		if (chunk_of(scan, scan->line, &length)) {
			scan->found = scan->line;
			scan->content = i + 1;
			scan->until = i + 1 + length;
			if (scan->until > scan->n)
				return 1;
			scan->line = scan->until;
			return 0;
		}
	} else if (octet(scan, scan->line) == '3' && octet(scan, scan->line + 1) == '5' &&
		   octet(scan, scan->line + 2) == '4' && octet(scan, scan->line + 3) != '-') {
		scan->found = scan->line;
		scan->content = i + 1;
	}
	scan->line = i + 1;
	return 0;
}

#endif
