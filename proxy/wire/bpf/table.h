/* Connections by key, in sets of WAYS entries, as in a processor's cache: a look-up takes no call into the kernel, and calls are
 * most of what a segment costs. Where a set is full, a half-open connection makes room, else the one that was idle longest; last
 * of all a client that waits for a greeting to be repaired. */
#ifndef EHLOWIRE_TABLE_H
#define EHLOWIRE_TABLE_H

#include "maps.h"

/* In place of a tag: no entry, or one that a processor is writing. */
#define TAG_FREE 0
#define TAG_TAKEN 1
/* Other processors may claim a way at the same time: tries at the most. */
#define CLAIMS 4

/* The set of a key, and its tag: the rest of the key's hash, by which the entries of a set differ. */
struct bucket {
	struct set *set;
	/* Of its ways in `flows`. */
	__u32 first;
	__u32 tag;
};

/* Multiply and fold, 64 bits at a time, with a seed that peers do not know: none of them can fill a set of its choice. */
static __always_inline __u64 hash_of(const struct flow_key *key, __u64 seed)
{
	const __u64 *client = __builtin_assume_aligned(key->client, 8), *server = __builtin_assume_aligned(key->server, 8);
	__u64 ports = (__u64)key->client_port << 16 | key->server_port;
	__u64 hash = (seed ^ client[1] ^ client[0] * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
	hash ^= hash >> 32;
	hash = (hash ^ server[1] ^ server[0] * 0x9e3779b97f4a7c15ull) * 0x94d049bb133111ebull;
	hash ^= hash >> 29;
	hash = (hash ^ ports) * 0xbf58476d1ce4e5b9ull;
	return hash ^ hash >> 32;
}

/* False: there is no such set, as before the table's size is set. */
static __always_inline bool bucket_for(const struct flow_key *key, struct bucket *bucket)
{
	__u32 which = COMMON_INDEX;
	const struct index *index = bpf_map_lookup_elem(&commons, &which);
	if (!index)
		return false;
	__u64 hash = hash_of(key, index->seed);
	which = hash & index->mask;
	bucket->set = bpf_map_lookup_elem(&sets, &which);
	bucket->first = which * WAYS;
	bucket->tag = hash >> 32 | (TAG_TAKEN + 1);
	return bucket->set;
}

static __always_inline struct flow *flow_at(const struct bucket *bucket, __u32 way)
{
	__u32 which = bucket->first + way;
	return bpf_map_lookup_elem(&flows, &which);
}

/* The bound is for the verifier: without the barrier the compiler removes it. */
static __always_inline __u32 *tag_at(const struct bucket *bucket, __u32 way)
{
	asm volatile("" : "+r"(way));
	return &bucket->set->tags[way & (WAYS - 1)];
}

static __always_inline bool is_same(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *v = __builtin_assume_aligned(a, 8), *w = __builtin_assume_aligned(b, 8);
	__u64 differ = (v[0] ^ w[0]) | (v[1] ^ w[1]) | (v[2] ^ w[2]) | (v[3] ^ w[3]);
	return !differ && a->client_port == b->client_port && a->server_port == b->server_port;
}

static __always_inline struct flow *flow_lookup(const struct flow_key *key)
{
	struct bucket bucket;
	if (!bucket_for(key, &bucket))
		return NULL;
	__u32 way = 0;
#pragma unroll
	for (; way < WAYS; way++)
		if (bucket.set->tags[way] == bucket.tag)
			break;
	if (way == WAYS)
		return NULL;
	struct flow *flow = flow_at(&bucket, way);
	return flow && is_same(&flow->key, key) ? flow : NULL;
}

/* For `used`, in sixteen ticks: coarse, so that it is written seldom, and fine enough to order the entries of a set. */
static __always_inline __u32 used_now(void)
{
	return bpf_jiffies64() >> 4;
}

/* In 2^30 ns, a little more than a second. */
static __always_inline __u32 coarse_now(void)
{
	return bpf_ktime_get_ns() >> 30;
}

/* The search for a way where a new connection goes. */
struct search {
	struct bucket bucket;
	__u32 now;
	__u32 coarse;
	/* The best way so far: its score times twice WAYS, plus its number counted from the last one, since a look-up finds the first
	 * ones sooner; WAYS: none, as all are being written. */
	__u64 best;
};
/* Each is above every age of the one before. WAITS: its greeting is still to be repaired. HALF_OPEN: only one side was seen, as in
 * a flood of SYNs, or the client never acknowledged the server's SYN. */
#define SCORE_WAITS 0
#define SCORE_KNOWN (1ull << 33)
#define SCORE_HALF_OPEN (2ull << 33)
#define SCORE_FREE (3ull << 33)
#define SCORE_SAME (4ull << 33)
/* In 2^30 ns: a client that waits longer for its greeting makes room like others, since idle clients must not fill the table. */
#define WAITED_FOR 60

static __always_inline __u64 score_of(const struct flow *flow, const struct search *search)
{
	enum seen client = flow->sides[SIDE_CLIENT].seen;
	if (!flow->sides[SIDE_SERVER].seen || client < (flow->started ? SEEN_HANDSHAKE : SEEN))
		return SCORE_HALF_OPEN;
	if (flow->repairing == REPAIRING && search->coarse - flow->streams[SIDE_SERVER].waits_since < WAITED_FOR)
		return SCORE_WAITS;
	return SCORE_KNOWN;
}

/* The way with the same tag, of which a set has one; else a free one; else the one that was idle longest. */
static long score_way(__u32 way, void *context)
{
	struct search *search = context;
	__u32 tag = *(volatile __u32 *)tag_at(&search->bucket, way);
	__u64 score = tag == search->bucket.tag ? SCORE_SAME : SCORE_FREE;
	if (tag == TAG_TAKEN)
		return 0;
	/* Only here, since the entries are not in the processor's cache. */
	if (tag != search->bucket.tag && tag != TAG_FREE) {
		const struct flow *flow = flow_at(&search->bucket, way);
		score = flow ? score_of(flow, search) + 1 + (__u32)(search->now - flow->used) : 0;
	}
	__u64 found = score * (2 * WAYS) + (WAYS - 1 - way);
	if (found > search->best)
		search->best = found;
	return 0;
}

/* Another processor may have inserted the same connection at the same time: a look-up finds the first way. */
static __always_inline __u32 first_way(const struct bucket *bucket, __u32 way)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAYS && i < way; i++)
		if (*(volatile __u32 *)tag_at(bucket, i) == bucket->tag)
			return i;
	return way;
}

/* Inserts a new connection, in place of the one that has the same key. Its index in `flows`, plus one; 0: other processors were
 * faster, each time. Global: the verifier reads it once by itself, and not for each call; so it does not know that `key` is there. */
__noinline __u32 flow_insert(const struct flow_key *key)
{
	__u32 zero = 0;
	const struct zero_flow *empty = bpf_map_lookup_elem(&zero_flow, &zero);
	struct search search = { .now = used_now(), .coarse = coarse_now() };
	struct bucket *bucket = &search.bucket;
	if (!key || !empty || !bucket_for(key, bucket))
		return 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < CLAIMS; i++) {
		search.best = WAYS;
		bpf_loop(WAYS, score_way, &search, 0);
		__u32 way = WAYS - 1 - (search.best & (2 * WAYS - 1));
		struct flow *flow = way < WAYS ? flow_at(bucket, way) : NULL;
		__u32 was = *(volatile __u32 *)tag_at(bucket, way);
		if (!flow || was == TAG_TAKEN || __sync_val_compare_and_swap(tag_at(bucket, way), was, TAG_TAKEN) != was)
			continue;
		/* Of patches there are none yet. */
		__builtin_memcpy(flow, &empty->flow, offsetof(struct flow, patches));
		flow->key = *key;
		flow->used = search.now;
		/* An exchange is a full barrier: who sees the tag sees all of the entry. */
		__sync_lock_test_and_set(tag_at(bucket, way), bucket->tag);
		__u32 first = first_way(bucket, way);
		if (first != way)
			__sync_val_compare_and_swap(tag_at(bucket, way), bucket->tag, TAG_FREE);
		return bucket->first + first + 1;
	}
	return 0;
}

/* Global, as flow_insert. */
__noinline int flow_delete(const struct flow_key *key)
{
	struct bucket bucket;
	if (!key || !bucket_for(key, &bucket))
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 way = 0; way < WAYS; way++)
		if (*(volatile __u32 *)tag_at(&bucket, way) == bucket.tag)
			__sync_val_compare_and_swap(tag_at(&bucket, way), bucket.tag, TAG_FREE);
	return 0;
}

#endif
