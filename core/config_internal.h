/* SPDX-License-Identifier: MIT */
/* Floor 3: what the parts of the configuration reader share: the tables of keys, and how a failure is worded. */
#ifndef MPBPF_CORE_CONFIG_INTERNAL_H
#define MPBPF_CORE_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>
#include <openssl/evp.h>

#include "core/config.h"
#include "core/json.h"
#include "core/util.h"

#define CONFIG_FILE_MAX (1 << 20)
#define CONFIG_SECRET_MAX (64 << 10)
#define CONFIG_KEYS_MAX (256 << 10)

/* Bytes that may be secret: wiped before they are freed. A NUL stands behind them. */
struct blob {
	char *data;
	size_t len;
};

#define _cleanup_blob_ _cleanup_(blob_wipe)

/* One reading of one document. */
struct reader {
	const char *name, *dir; /* the file as errors call it; where relative key files are */
	struct config *config;	/* filled in place */
	struct config_error *err;
	EVP_MD_CTX *digest, *keys_digest; /* running: of everything, of the key files */
	size_t n_paths, n_cidrs;	  /* so far, in all */
	size_t path_len;
	char path[256]; /* of the value that is being read: "listeners[0].port" */
};

enum rule_flags {
	RULE_REQUIRED = 1 << 0,
	RULE_SECRET = 1 << 1, /* the value is never quoted */
};

/*
 * One key of an object, or the elements of an array (without a key). Tables end with a rule without `read`. `read`
 * checks the item and stores it into the struct at `base`, or fails by reader_fail().
 */
struct rule {
	const char *key;
	int (*read)(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
	const char *expected;
	size_t offset;		  /* of the field in the struct at base */
	size_t size;		  /* bytes of the field, or of an array's element */
	size_t count;		  /* arrays: offset of the number of elements */
	double min, max;	  /* numbers: range; arrays: number of elements; names: min is the value of the first */
	const char *const *names; /* names: up to NULL */
	bool (*check)(const char *text); /* strings */
	const struct rule *of;		 /* objects: their keys; arrays: the one rule of the elements */
	/* Objects: judges what shows only when all keys are read. */
	int (*finish)(struct reader *r, void *object);
	unsigned int flags; /* enum rule_flags */
};

#define FIELD(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

#define BOOL(name, type, field, ...) \
	{ .key = name, .read = read_bool, .expected = "true or false", FIELD(type, field), __VA_ARGS__ }
#define INTEGER(name, type, field, lo, hi, ...)          \
	{ .key = name,                                   \
	  .read = read_integer,                          \
	  .expected = "an integer from " #lo " to " #hi, \
	  FIELD(type, field),                            \
	  .min = lo,                                     \
	  .max = hi,                                     \
	  __VA_ARGS__ }
#define STRING(name, type, field, valid, what, ...) \
	{ .key = name, .read = read_string, .expected = what, FIELD(type, field), .check = valid, __VA_ARGS__ }
#define NAME(name, type, field, list, first, what, ...) \
	{ .key = name,                                  \
	  .read = read_name,                            \
	  .expected = what,                             \
	  FIELD(type, field),                           \
	  .names = list,                                \
	  .min = first,                                 \
	  __VA_ARGS__ }
#define OBJECT(name, type, field, rules, ...) \
	{ .key = name, .read = read_object, .expected = "an object", FIELD(type, field), .of = rules, __VA_ARGS__ }
#define ARRAY(name, type, field, counter, lo, hi, element, ...) \
	{ .key = name,                                          \
	  .read = read_array,                                   \
	  .expected = "an array",                               \
	  .offset = offsetof(type, field),                      \
	  .size = sizeof(*((type *)0)->field),                  \
	  .count = offsetof(type, counter),                     \
	  .min = lo,                                            \
	  .max = hi,                                            \
	  .of = element,                                        \
	  __VA_ARGS__ }
#define TEXT_ELEMENT(valid, what, ...) \
	{ .read = read_string, .expected = what, .size = sizeof(char *), .check = valid, __VA_ARGS__ }

/* config_read.c: one JSON value into one field */
int read_bool(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_integer(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_number(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_string(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_name(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_object(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_array(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
/* The keys of `item` by rule->of into `object`; for what read_object() cannot find by an offset. */
int read_keys(struct reader *r, const cJSON *item, const struct rule *rule, void *object);
/* Makes room for one more element behind n of `size` bytes each. Returns 0 or -ENOMEM; *array stays valid. */
int array_grow(void *array, size_t n, size_t size);

/* config_error.c: paths, quoting, failures and warnings */
size_t path_key(struct reader *r, const char *key);
size_t path_index(struct reader *r, size_t i);
void path_restore(struct reader *r, size_t len);
/* Sets err->text from the path, `value` as it is to be shown, and what was expected. Returns -EINVAL. */
int reader_fail(struct reader *r, const char *value, const char *expected, ...) __attribute__((format(printf, 3, 4)));
/* The same for an item that its rule refuses. */
int reader_refuse(struct reader *r, const cJSON *item, const struct rule *rule);
/* For a failure of the document or of the machine: "FILE: text". Returns `error`. */
int reader_error(struct reader *r, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
int reader_nomem(struct reader *r);
/* Adds "FILE: PATH: text" to config->warnings. Returns 0 or -ENOMEM (err is set). */
int reader_warn(struct reader *r, const char *text);

/* The last `max` bytes: what identifies a file when its whole name does not fit. */
const char *text_tail(const char *text, size_t max);

struct shown {
	char text[96];
};
/* A value as errors show it: short, control characters escaped, "(hidden)" when the rule says so. */
struct shown show_item(const cJSON *item, const struct rule *rule);
struct shown show_text(const char *text);

/* config_file.c */
void blob_wipe(struct blob *blob);
/* A whole regular file of at most `max` bytes. Returns 0 or -errno; ret is untouched on failure. */
int file_read(const char *path, size_t max, struct blob *ret, mode_t *ret_mode);
/* SHA-256, begun. Returns 0 or -ENOMEM. */
int digest_begin(EVP_MD_CTX **ret);
/* Adds length and bytes to the running digest. Returns 0 or -ENOMEM. */
int digest_add(EVP_MD_CTX *digest, const void *data, size_t len);
/* The same of a value, whatever its spelling: names, types and values. */
int digest_add_tree(EVP_MD_CTX *digest, const cJSON *item);
/* For _cleanup_(digest_free). */
void digest_free(EVP_MD_CTX **digest);

/* config_net.c */
int read_address(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int read_cidrs(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
/* One network into a struct cidr, "::/0" as it stands. */
int read_network(struct reader *r, const cJSON *item, const struct rule *rule, void *base);

/* config_tables.c */
#define NAME_TEXT "a name of 1 to 64 visible ASCII characters"
bool is_name(const char *text);

/* config_gateway.c */
extern const struct rule service_rule, route_rule, source_route_rule, accept_proxy_rules[], network_rule;
int read_accept_proxy(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
/* What must hold between a listener's mode, its protocol and the keys that need them. */
int listener_mode_finish(struct reader *r, const struct listener_config *listener);
/* Fails: the listener's `key` is not as its mode demands. */
int listener_needs(struct reader *r, const char *key, const char *value, const char *expected);

/* config_capture.c */
extern const char *const capture_directions[];
extern const struct rule capture_match_rules[];
bool is_cgroup_path(const char *text);
/* Before a listener is read: keys that are not for its mode. *ret: it is a capture. */
int capture_keys_judge(struct reader *r, const cJSON *item, bool *ret);
/* The last listener, which is a capture: is it complete, and does it match what none before it does? */
int capture_finish(struct reader *r, const struct listener_config *listener);

/* config_references.c */
/* Names that refer to others, and listeners that lead nowhere. */
int gateway_finish(struct reader *r);
void gateway_free(struct config *config);

/* config.c */
void strings_free(char **strings, size_t n);

/* config_limits.c */
#define PREFIX_TEXT                                                        \
	"an absolute path of at most 110 bytes, canonical: visible ASCII " \
	"without % \\ ; ? # \" < > [ ] ^ ` { | }, no empty, . or .. segment"
/* Stores a copy without a '/' at its end, but for "/" itself. */
int read_prefix(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
extern const struct rule request_limit_rule;
extern const struct rule license_rules[];
int read_license(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int request_limits_finish(struct reader *r);
void license_free(struct license_config *license);
void request_limits_free(struct config *config);

/* config_rates.c: the limit of packets and bytes per source */
extern const struct rule rate_limit_rules[];
int rate_limit_finish(struct reader *r, void *object);
void rate_limit_free(struct rate_limit_config *rate_limit);

/* config_syn.c */
extern const char *const syn_cookies[];
extern const struct rule syn_port_rule;
extern const struct rule connections_rules[];

/* config_clients.c */
extern const struct rule clients_rules[];

/* config_classify.c */
extern const struct rule classify_rules[], protocol_rule_rule;
int protocol_rules_finish(struct reader *r);
void protocol_rules_free(struct config *config);

/* config_responses.c */
extern const struct rule metrics_rules[];
int metrics_finish(struct reader *r, void *object);
int read_response_headers(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
int response_headers_finish(struct reader *r);

/* config_auth.c */
/* Whether there is no other spelling of the path that servers read as the same. */
bool path_is_canonical(const char *path);
extern const struct rule auth_rules[];
void auth_init(struct auth_config *auth);
/* Allocates the block and reads it: a listener's own. */
int read_auth(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
/* Reads the key files, now that the algorithms are known, and warns of what is not as good as it could be. */
int auth_finish(struct reader *r, void *object);
void auth_free(struct auth_config *auth);

/* config_keys.c */
bool is_file_name(const char *text);
/*
 * A file of `max` bytes at most that `name` stands for, beside the configuration if that is relative; into the digest and
 * config->key_files. Returns 0, or the error after reader_fail().
 */
int key_file_read(struct reader *r, const char *name, size_t max, struct blob *ret, mode_t *ret_mode);
/* Fills auth->keys from public_key_file and jwks_file. */
int keys_read(struct reader *r, struct auth_config *auth);
/* Warns when others may read what is secret. */
int warn_if_readable(struct reader *r, mode_t mode);

/* config_claims.c */
/* A string or an array of strings, into a struct claim_rule. */
int read_claim_strings(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
/* {"claim": value or [values]}, into auth_config.claims. */
int read_claims(struct reader *r, const cJSON *item, const struct rule *rule, void *base);
void claim_rule_free(struct claim_rule *rule);

/* config_tables.c: every key there is; the documentation is held against it */
extern const struct rule config_rules[];
/* What no single value shows: names that refer to others, blocks that let nobody in. */
int config_finish(struct reader *r);

#endif
