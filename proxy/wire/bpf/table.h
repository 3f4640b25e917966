/* Connections by key, in sets of WAYS places, as a processor's cache has its lines: to find one takes no call into the
 * kernel, and calls are most of what a segment costs. Where a set is full, a handshake that nobody completed makes room, else
 * whoever was silent longest; last of all a client that waits for a greeting which is to be repaired. */
#ifndef EHLOWIRE_TABLE_H
#define EHLOWIRE_TABLE_H

/* In place of a tag: nothing is there, or a processor is just laying it down. */
#define TAG_FREE 0
#define TAG_TAKEN 1
/* Others may take a way at the same time: so often it is tried. */
#define CLAIMS 4

/* A set, and what of the key's hash tells the connections in it apart. */
struct place {
	struct set *set;
	/* Of its ways in `flows`. */
	__u32 first;
	__u32 tag;
};

/* Multiply and fold, a word at a time, from a seed that peers do not know: none of them can choose whom to meet. */
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

/* False: there is no such set, as before the table's size is said. */
static __always_inline bool place_for(const struct flow_key *key, struct place *place)
{
	__u32 which = COMMON_INDEX;
	const struct index *index = bpf_map_lookup_elem(&commons, &which);
	if (!index)
		return false;
	__u64 hash = hash_of(key, index->seed);
	which = hash & index->mask;
	place->set = bpf_map_lookup_elem(&sets, &which);
	place->first = which * WAYS;
	place->tag = hash >> 32 | (TAG_TAKEN + 1);
	return place->set;
}

static __always_inline struct flow *flow_at(const struct place *place, __u32 way)
{
	__u32 which = place->first + way;
	return bpf_map_lookup_elem(&flows, &which);
}

/* The bound is for the verifier: the compiler, which sees it without, must not. */
static __always_inline __u32 *tag_at(const struct place *place, __u32 way)
{
	asm volatile("" : "+r"(way));
	return &place->set->tags[way & (WAYS - 1)];
}

static __always_inline bool is_same(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *v = __builtin_assume_aligned(a, 8), *w = __builtin_assume_aligned(b, 8);
	__u64 differ = (v[0] ^ w[0]) | (v[1] ^ w[1]) | (v[2] ^ w[2]) | (v[3] ^ w[3]);
	return !differ && a->client_port == b->client_port && a->server_port == b->server_port;
}

static __always_inline struct flow *find(const struct flow_key *key)
{
	struct place place;
	if (!place_for(key, &place))
		return NULL;
	__u32 way = 0;
#pragma unroll
	for (; way < WAYS; way++)
		if (place.set->tags[way] == place.tag)
			break;
	if (way == WAYS)
		return NULL;
	struct flow *flow = flow_at(&place, way);
	return flow && is_same(&flow->key, key) ? flow : NULL;
}

/* Of time: seldom enough that a mark is written seldom, and two of a set are hardly ever marked alike. */
static __always_inline __u32 mark_of_now(void)
{
	return bpf_jiffies64() >> 4;
}

/* In 2^30 ns, a little more than a second. */
static __always_inline __u32 coarse_now(void)
{
	return bpf_ktime_get_ns() >> 30;
}

/* A way to lay a connection down in is looked for. */
struct search {
	struct place place;
	__u32 now;
	__u32 coarse;
	/* The best one so far: how good it is, times twice WAYS, and which, counted from the last one, since the first are the
	 * soonest found; WAYS: none, as all are just being taken. */
	__u64 best;
};
/* Each is above every age of the one before. WAITS: its greeting is still to be repaired. HALF: as far as was seen only one of
 * both is there, as in a flood of SYNs, or the client never answered the server's. */
#define WORTH_WAITS 0
#define WORTH_KNOWN (1ull << 33)
#define WORTH_HALF (2ull << 33)
#define WORTH_FREE (3ull << 33)
#define WORTH_SAME (4ull << 33)
/* A greeting that was not there by then is waited for no longer, in 2^30 ns: who only sits there must not keep others out. */
#define WAITED_FOR 60

static __always_inline __u64 worth_of(const struct flow *flow, const struct search *search)
{
	enum heard client = flow->sides[SIDE_CLIENT].heard;
	if (!flow->sides[SIDE_SERVER].heard || client < (flow->started ? HEARD_ANSWER : HEARD))
		return WORTH_HALF;
	if (flow->repairing == REPAIRING && search->coarse - flow->streams[SIDE_SERVER].waits_since < WAITED_FOR)
		return WORTH_WAITS;
	return WORTH_KNOWN;
}

/* Tags of a set differ, so it is the way that has the same; else one where nothing is, or what was not used longest. */
static long weigh(__u32 way, void *context)
{
	struct search *search = context;
	__u32 tag = *(volatile __u32 *)tag_at(&search->place, way);
	__u64 worth = tag == search->place.tag ? WORTH_SAME : WORTH_FREE;
	if (tag == TAG_TAKEN)
		return 0;
	/* Only then, since none of them is in the cache. */
	if (tag != search->place.tag && tag != TAG_FREE) {
		const struct flow *flow = flow_at(&search->place, way);
		worth = flow ? worth_of(flow, search) + 1 + (__u32)(search->now - flow->used) : 0;
	}
	__u64 found = worth * (2 * WAYS) + (WAYS - 1 - way);
	if (found > search->best)
		search->best = found;
	return 0;
}

/* Another processor may have begun the same connection at the same time: the first way is the one that is found. */
static __always_inline __u32 first_way(const struct place *place, __u32 way)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAYS && i < way; i++)
		if (*(volatile __u32 *)tag_at(place, i) == place->tag)
			return i;
	return way;
}

/* Lays down a new connection, in place of the one that has the same key. Which of `flows` it is, plus one; 0: others were
 * faster, each time. Not static: so the verifier looks at it once, and not once for each way to here. */
__noinline __u32 lay_down(const struct flow_key *key)
{
	__u32 zero = 0;
	const struct blank *blank = bpf_map_lookup_elem(&blanks, &zero);
	struct search search = { .now = mark_of_now(), .coarse = coarse_now() };
	struct place *place = &search.place;
	if (!key || !blank || !place_for(key, place))
		return 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < CLAIMS; i++) {
		search.best = WAYS;
		bpf_loop(WAYS, weigh, &search, 0);
		__u32 way = WAYS - 1 - (search.best & (2 * WAYS - 1));
		struct flow *flow = way < WAYS ? flow_at(place, way) : NULL;
		__u32 was = *(volatile __u32 *)tag_at(place, way);
		if (!flow || was == TAG_TAKEN || __sync_val_compare_and_swap(tag_at(place, way), was, TAG_TAKEN) != was)
			continue;
		/* Of patches there are none yet. */
		__builtin_memcpy(flow, &blank->flow, offsetof(struct flow, patches));
		flow->key = *key;
		flow->used = search.now;
		/* An exchange is a full barrier: whoever finds the tag finds all of it. */
		__sync_lock_test_and_set(tag_at(place, way), place->tag);
		__u32 first = first_way(place, way);
		if (first != way)
			__sync_val_compare_and_swap(tag_at(place, way), place->tag, TAG_FREE);
		return place->first + first + 1;
	}
	return 0;
}

__noinline int pick_up(const struct flow_key *key)
{
	struct place place;
	if (!key || !place_for(key, &place))
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 way = 0; way < WAYS; way++)
		if (*(volatile __u32 *)tag_at(&place, way) == place.tag)
			__sync_val_compare_and_swap(tag_at(&place, way), place.tag, TAG_FREE);
	return 0;
}

#endif
