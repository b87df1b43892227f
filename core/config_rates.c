/* SPDX-License-Identifier: MIT */
/* Floor 3: the limit of packets and bytes per source: the default, networks with one of their own, classes of packets. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

#define BYTES_MIN 1000
#define BYTES_MAX 274877906944 /* 2^38: what the kernel counts in one word */
#define V6_PREFIX_MAX 64       /* a source is an IPv6 /64 */
#define RATE_NOT_GIVEN RATE_MODE_MAX
#define DEFAULT_NAME "default"

_Static_assert(MPBPF_RULES_MAX == 1 + MPBPF_CLASSES_MAX + MPBPF_OVERRIDES_MAX, "every rule has a place");
_Static_assert(MPBPF_RULE_NAMES == 1 + 2 * MPBPF_RULES_MAX, "two generations have a number for each");

static int read_bytes(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	uint64_t value;

	if (!cJSON_IsNumber(item) || item->valuedouble < rule->min || item->valuedouble > rule->max ||
	    item->valuedouble != (uint64_t)item->valuedouble)
		return reader_refuse(r, item, rule);
	value = item->valuedouble;
	memcpy((char *)base + rule->offset, &value, sizeof(value));
	return 0;
}

#define AMOUNT(name, type, field)                             \
	{ .key = name,                                        \
	  .read = read_bytes,                                 \
	  .expected = "an integer from 1000 to 274877906944", \
	  FIELD(type, field),                                 \
	  .min = BYTES_MIN,                                   \
	  .max = BYTES_MAX }

/* What each of the three kinds of limits may say. */
#define RATE_RULES(type, field)                                                                     \
	INTEGER("packets", type, field.packets, 1, 4294967295), AMOUNT("bytes", type, field.bytes), \
		INTEGER("burst", type, field.burst, 1, 4294967295), AMOUNT("burst_bytes", type, field.burst_bytes)

static const char *const modes[] = { "enforce", "monitor", NULL };
static const char *const override_modes[] = { "off", "enforce", "monitor", NULL };
static const char *const algorithms[] = { "window", "token_bucket", NULL };
static const char *const protocols[] = { "tcp", "udp", "icmp", "fragment", "other", NULL };

/* ---- overrides ---- */

static bool names_differ(const struct rate_limit_config *config, const char *name, const void *but)
{
	size_t i;

	if (!strcmp(name, DEFAULT_NAME))
		return false;
	for (i = 0; i < config->n_overrides; i++)
		if (&config->overrides[i] != but && config->overrides[i].name &&
		    !strcmp(config->overrides[i].name, name))
			return false;
	for (i = 0; i < config->n_classes; i++)
		if (&config->classes[i] != but && config->classes[i].name && !strcmp(config->classes[i].name, name))
			return false;
	return true;
}

static int name_check(struct reader *r, const char *name, const void *of)
{
	if (names_differ(&r->config->rate_limit, name, of))
		return 0;
	path_key(r, "name");
	return reader_fail(r, show_text(name).text, "a name that no other limit has, nor \"" DEFAULT_NAME "\"");
}

static bool is_ipv4(const struct cidr *cidr)
{
	return cidr->prefix >= 96 && cidr_is_v4(&cidr->addr);
}

static int read_override_cidr(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct override_config *override = base;
	int err = read_network(r, item, rule, base);

	if (err < 0)
		return err;
	if (!is_ipv4(&override->cidr) && override->cidr.prefix > V6_PREFIX_MAX)
		return reader_fail(r, show_item(item, rule).text,
				   "an IPv6 network of at most /%d, for that is a source", V6_PREFIX_MAX);
	if (override->name)
		return 0;
	override->name = strdup(item->valuestring);
	return override->name ? 0 : reader_nomem(r);
}

/* The name may have been taken from the network before. */
static int read_override_name(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct override_config *override = base;

	free(override->name);
	override->name = NULL;
	return read_string(r, item, rule, base);
}

static int override_finish(struct reader *r, void *object)
{
	const struct rate_limit_config *config = &r->config->rate_limit;
	const struct override_config *new = object;

	for (size_t i = 0; i + 1 < config->n_overrides; i++) {
		const struct cidr *cidr = &config->overrides[i].cidr;

		if (cidr->prefix != new->cidr.prefix || memcmp(&cidr->addr, &new->cidr.addr, sizeof(cidr->addr)) ||
		    is_ipv4(cidr) != is_ipv4(&new->cidr))
			continue;
		path_key(r, "cidr");
		return reader_fail(r, show_text(new->name).text, "a network that overrides[%zu] does not have", i);
	}
	return name_check(r, new->name, new);
}

static const struct rule override_rules[] = {
	{ .key = "cidr",
	  .read = read_override_cidr,
	  .expected = "an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32",
	  FIELD(struct override_config, cidr),
	  .flags = RULE_REQUIRED },
	{ .key = "name",
	  .read = read_override_name,
	  .expected = NAME_TEXT,
	  FIELD(struct override_config, name),
	  .check = is_name },
	RATE_RULES(struct override_config, rate),
	NAME("mode", struct override_config, rate.mode, override_modes, RATE_OFF,
	     "\"off\", \"enforce\" or \"monitor\""),
	{},
};

static int read_override(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct override_config *override = base;

	override->rate.mode = RATE_NOT_GIVEN;
	return read_keys(r, item, rule, override);
}

static const struct rule override_rule = {
	.read = read_override, .expected = "an object", .of = override_rules, .finish = override_finish
};

/* ---- classes ---- */

static int class_finish(struct reader *r, void *object)
{
	const struct class_config *new = object;

	if (!new->rate.packets && !new->rate.bytes) {
		path_key(r, "packets");
		return reader_fail(r, "(missing)", "packets or bytes");
	}
	if (new->port &&new->protocol != RATE_TCP &&new->protocol != RATE_UDP) {
		path_key(r, "port");
		return reader_fail(r, "(given)", "no port with a protocol other than \"tcp\" and \"udp\"");
	}
	return name_check(r, new->name, new);
}

static const struct rule class_rules[] = {
	STRING("name", struct class_config, name, is_name, NAME_TEXT, .flags = RULE_REQUIRED),
	NAME("protocol", struct class_config, protocol, protocols, RATE_TCP,
	     "\"tcp\", \"udp\", \"icmp\", \"fragment\" or \"other\"", .flags = RULE_REQUIRED),
	INTEGER("port", struct class_config, port, 1, 65535),
	RATE_RULES(struct class_config, rate),
	NAME("mode", struct class_config, rate.mode, modes, RATE_ENFORCE, "\"enforce\" or \"monitor\""),
	{},
};

static int read_class(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct class_config *class = base;

	class->rate.mode = RATE_NOT_GIVEN;
	return read_keys(r, item, rule, class);
}

static const struct rule class_rule = {
	.read = read_class, .expected = "an object", .of = class_rules, .finish = class_finish
};

/* ---- the whole ---- */

const struct rule rate_limit_rules[] = {
	BOOL("enabled", struct rate_limit_config, enabled),
	INTEGER("window_ms", struct rate_limit_config, window_ms, 10, 3600000),
	RATE_RULES(struct rate_limit_config, rate),
	NAME("algorithm", struct rate_limit_config, algorithm, algorithms, RATE_ALGORITHM_WINDOW,
	     "\"window\" or \"token_bucket\""),
	NAME("mode", struct rate_limit_config, rate.mode, modes, RATE_ENFORCE, "\"enforce\" or \"monitor\""),
	INTEGER("max_sources", struct rate_limit_config, max_sources, 1024, 16777216),
	INTEGER("max_quotas", struct rate_limit_config, max_quotas, 1024, 16777216),
	ARRAY("overrides", struct rate_limit_config, overrides, n_overrides, 0, MPBPF_OVERRIDES_MAX, &override_rule),
	ARRAY("classes", struct rate_limit_config, classes, n_classes, 0, MPBPF_CLASSES_MAX, &class_rule),
	OBJECT("connections", struct rate_limit_config, connections, connections_rules),
	{},
};

/* Fills in what was left out: of a network from the default, with its burst; other bursts from the rate. */
static void rate_complete(struct rate_config *rate, const struct rate_config *from)
{
	if (!rate->burst)
		rate->burst = rate->packets ?: from->burst;
	if (!rate->burst_bytes)
		rate->burst_bytes = rate->bytes ?: from->burst_bytes;
	if (!rate->packets)
		rate->packets = from->packets;
	if (!rate->bytes)
		rate->bytes = from->bytes;
	if (rate->mode == RATE_NOT_GIVEN)
		rate->mode = from->mode;
}

static bool has_burst(const struct rate_limit_config *config)
{
	bool has = config->rate.burst || config->rate.burst_bytes;

	for (size_t i = 0; i < config->n_overrides; i++)
		has = has || config->overrides[i].rate.burst || config->overrides[i].rate.burst_bytes;
	for (size_t i = 0; i < config->n_classes; i++)
		has = has || config->classes[i].rate.burst || config->classes[i].rate.burst_bytes;
	return has;
}

int rate_limit_finish(struct reader *r, void *object)
{
	struct rate_limit_config *config = object;
	int err = 0;

	if (config->algorithm == RATE_ALGORITHM_WINDOW && has_burst(config))
		err = reader_warn(r, "burst and burst_bytes are of no use without the algorithm \"token_bucket\"");
	rate_complete(&config->rate, &config->rate);
	for (size_t i = 0; i < config->n_overrides; i++)
		rate_complete(&config->overrides[i].rate, &config->rate);
	for (size_t i = 0; i < config->n_classes; i++)
		rate_complete(&config->classes[i].rate, &(struct rate_config){ .mode = config->rate.mode });
	if (!config->enabled)
		config->rate.mode = RATE_OFF;
	return err;
}

void rate_limit_free(struct rate_limit_config *config)
{
	for (size_t i = 0; i < config->n_overrides; i++)
		free(config->overrides[i].name);
	for (size_t i = 0; i < config->n_classes; i++)
		free(config->classes[i].name);
	free(config->overrides);
	free(config->classes);
}
