/* Commands and replies that begin content. */
#ifndef EHLOWIRE_CONTENT_START_H
#define EHLOWIRE_CONTENT_START_H

#include "maps.h"

#define WORD 8
#define ONES 0x0101010101010101ull
#define HIGH (ONES << 7)
/* Times the lowest bit of an octet: that octet's number, in the highest octet. */
#define PLACES 0x0001020304050607ull

struct scan {
	const struct record *record;
	/* Where the payload begins in `record->data`, and its octets. */
	__u32 at, n;
	/* Where the current eight octets begin; the highest bit of each that is LF. */
	__u32 word;
	__u64 feeds;
	/* A line begins here. */
	__u32 line;
	/* Content to skip (BDAT): where it ends, in octets of the payload. */
	__u32 until;
	/* Behind the line that was found. */
	__u32 content;
	bool client;
};

static __always_inline __u8 octet(const struct scan *scan, __u32 i)
{
	__u32 at = scan->at + i;
	/* Each octet has its own bound: old verifiers do not see one that the compiler derives from its neighbour's. */
	asm volatile("" : "+r"(at));
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
	/* Beyond half of the number space its end cannot be compared. */
	return digits > 0 && value < 1u << 31;
}

/* A line ends at `i`. */
static __always_inline void end_line(struct scan *scan, __u32 i)
{
	__u32 length;
	if (!scan->client) {
		if (octet(scan, scan->line) == '3' && octet(scan, scan->line + 1) == '5' &&
		    octet(scan, scan->line + 2) == '4' && octet(scan, scan->line + 3) != '-') {
			scan->content = i + 1;
		}
		scan->line = i + 1;
	} else if (chunk_of(scan, scan->line, &length)) {
		scan->content = i + 1;
		scan->until = i + 1 + length;
		scan->line = scan->until;
	} else {
		scan->line = i + 1;
	}
}

static long scan_feed(__u32 of_word, void *context)
{
	struct scan *scan = context;
	__u64 first = scan->feeds & -scan->feeds;
	if (!first || scan->until > scan->n)
		return 1;
	scan->feeds ^= first;
	__u32 i = scan->word + ((first >> 7) * PLACES >> 56);
	if (i >= scan->n)
		return 1;
	if (i >= scan->until)
		end_line(scan, i);
	return 0;
}

/* Reads eight octets at a time: in most of them no line ends. */
static long scan_word(__u32 i, void *context)
{
	struct scan *scan = context;
	__u32 from = i * WORD, at = scan->at + from;
	if (from >= scan->n || at > HEADERS + PAYLOAD - WORD)
		return 1;
	__u64 others = *(const __u64 *)(scan->record->data + at) ^ (ONES * '\n');
	/* In an octet that is not zero the sum, or the octet itself, has the highest bit. */
	scan->feeds = ~(((others & ~HIGH) + ~HIGH) | others) & HIGH;
	if (!scan->feeds)
		return 0;
	scan->word = from;
	bpf_loop(WORD, scan_feed, scan, 0);
	return scan->until > scan->n;
}

#endif
