/* SPDX-License-Identifier: MIT */
/* Floor 3: auth blocks: secrets and where they come from, static tokens, exempt paths. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

#define EXEMPT_PATH_MAX (MPBPF_PATH_KEY - 2) /* room for the '/' or the NUL that a key ends in, and one to spare */

void auth_init(struct auth_config *auth)
{
	*auth = (struct auth_config){ .algorithms = JWT_BIT(JWT_HS256), .require_auth = true, .leeway_s = 60 };
}

static int secret_once(struct reader *r, const cJSON *item, const struct rule *rule, const struct auth_config *auth)
{
	if (!auth->secret)
		return 0;
	return reader_fail(r, show_item(item, rule).text, "either jwt_secret or jwt_secret_file, not both");
}

static int read_secret(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct auth_config *auth = base;
	int err;

	if (!cJSON_IsString(item) || !*item->valuestring || strlen(item->valuestring) > CONFIG_SECRET_MAX)
		return reader_refuse(r, item, rule);
	err = secret_once(r, item, rule, auth);
	if (err < 0)
		return err;
	auth->secret = strdup(item->valuestring);
	if (!auth->secret)
		return reader_nomem(r);
	auth->secret_len = strlen(auth->secret);
	return 0;
}

/* The newline that editors and echo put there is taken off. */
static int take_secret(struct reader *r, const char *value, struct blob *secret, struct auth_config *auth)
{
	if (secret->len && secret->data[secret->len - 1] == '\n')
		secret->len--;
	if (!secret->len)
		return reader_fail(r, value, "a file that is not empty");
	auth->secret = calloc(1, secret->len + 1);
	if (!auth->secret)
		return reader_nomem(r);
	memcpy(auth->secret, secret->data, secret->len);
	auth->secret_len = secret->len;
	return 0;
}

static int read_secret_file(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	_cleanup_blob_ struct blob secret = {};
	mode_t mode;
	int err;

	if (!cJSON_IsString(item) || !is_file_name(item->valuestring))
		return reader_refuse(r, item, rule);
	err = secret_once(r, item, rule, base);
	if (err < 0)
		return err;
	err = key_file_read(r, item->valuestring, CONFIG_SECRET_MAX, &secret, &mode);
	if (err < 0)
		return err;
	err = take_secret(r, show_item(item, rule).text, &secret, base);
	return err < 0 ? err : warn_if_readable(r, mode);
}

static int add_algorithm(struct reader *r, const cJSON *item, const struct rule *rule, uint32_t *algorithms)
{
	int algorithm = cJSON_IsString(item) ? jwt_algorithm_of(item->valuestring) : -ENOENT;

	if (algorithm < 0)
		return reader_refuse(r, item, rule);
	if (*algorithms & JWT_BIT(algorithm))
		return reader_fail(r, show_item(item, rule).text, "each algorithm once");
	*algorithms |= JWT_BIT(algorithm);
	return 0;
}

static int read_algorithms(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct auth_config *auth = base;
	const cJSON *child;
	size_t i = 0;
	int err;

	auth->algorithms = 0;
	if (!cJSON_IsArray(item))
		return add_algorithm(r, item, rule, &auth->algorithms);
	if (!item->child)
		return reader_fail(r, show_item(item, rule).text, "at least 1 element");
	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, i++);

		err = add_algorithm(r, child, rule, &auth->algorithms);
		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return 0;
}

static bool is_token(const char *text)
{
	return *text && strlen(text) <= MPBPF_TOKEN_MAX;
}

/* No two spellings of one path: what the kernel compares byte by byte must be the only way to write it. */
bool path_is_canonical(const char *path)
{
	const char *p;
	size_t len;

	for (p = path; *p; p++) {
		unsigned char c = *p;

		if (c <= ' ' || c >= 0x7f || strchr("%\\;?#\"<>[]^`{|}", c))
			return false;
	}
	for (p = path; *p == '/'; p += 1 + len) {
		len = strcspn(p + 1, "/");
		if ((len == 0 && p[1]) || (len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return *path == '/';
}

static int read_exempt_path(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	char **path = base;
	size_t len;

	if (!cJSON_IsString(item) || !path_is_canonical(item->valuestring))
		return reader_refuse(r, item, rule);
	len = strlen(item->valuestring);
	if (len > 1 && item->valuestring[len - 1] == '/')
		len--;
	if (len > EXEMPT_PATH_MAX)
		return reader_refuse(r, item, rule);
	if (++r->n_paths > MPBPF_PATHS_MAX)
		return reader_fail(r, show_item(item, rule).text, "at most %d exempt paths in all auth blocks together",
				   MPBPF_PATHS_MAX);
	*path = strndup(item->valuestring, len);
	return *path ? 0 : reader_nomem(r);
}

static const struct rule token_rule = TEXT_ELEMENT(is_token, "a string of 1 to 8192 bytes", .flags = RULE_SECRET);
static const struct rule exempt_path_rule = {
	.read = read_exempt_path,
	.size = sizeof(char *),
	.expected = "an absolute path of at most 110 bytes, canonical: "
		    "visible ASCII without % \\ ; ? # \" < > [ ] ^ ` { | }, no empty, . or .. segment",
};

#define CLAIM(name, field)                                                           \
	{ .key = name,                                                               \
	  .read = read_claim_strings,                                                \
	  .expected = "a string of 1 to 1024 bytes, or an array of 1 to 64 of them", \
	  FIELD(struct auth_config, field) }

const struct rule auth_rules[] = {
	{ .key = "jwt_secret", .read = read_secret, .expected = "a string of 1 to 65536 bytes", .flags = RULE_SECRET },
	{ .key = "jwt_secret_file", .read = read_secret_file, .expected = "the name of a file" },
	{ .key = "jwt_algorithm",
	  .read = read_algorithms,
	  .expected = "HS256, HS384, HS512, RS256, RS384, RS512, PS256, ES256, ES384 or EdDSA, or an array of these",
	  .names = jwt_algorithm_names },
	STRING("jwt_public_key_file", struct auth_config, public_key_file, is_file_name, "the name of a file"),
	STRING("jwt_jwks_file", struct auth_config, jwks_file, is_file_name, "the name of a file"),
	CLAIM("jwt_issuer", issuer),
	CLAIM("jwt_audience", audience),
	{ .key = "jwt_required_claims", .read = read_claims, .expected = "an object" },
	BOOL("require_auth", struct auth_config, require_auth),
	ARRAY("base64_tokens", struct auth_config, tokens, n_tokens, 0, 4096, &token_rule, .flags = RULE_SECRET),
	ARRAY("exempt_paths", struct auth_config, exempt_paths, n_exempt_paths, 0, MPBPF_PATHS_MAX, &exempt_path_rule),
	INTEGER("leeway_s", struct auth_config, leeway_s, 0, 86400),
	{},
};

int read_auth(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct listener_config *listener = base;

	listener->auth = malloc(sizeof(*listener->auth));
	if (!listener->auth)
		return reader_nomem(r);
	auth_init(listener->auth);
	return read_keys(r, item, rule, listener->auth);
}

/* RFC 7518, section 3.2: a key of the hash's size or larger MUST be used. Shorter ones work, but not in silence. */
static int secret_finish(struct reader *r, const struct auth_config *auth)
{
	static const char *const too_short[] = {
		[JWT_HS256] = "the secret is shorter than the 32 bytes that RFC 7518, section 3.2, demands for HS256",
		[JWT_HS384] = "the secret is shorter than the 48 bytes that RFC 7518, section 3.2, demands for HS384",
		[JWT_HS512] = "the secret is shorter than the 64 bytes that RFC 7518, section 3.2, demands for HS512",
	};
	static const size_t size[] = { [JWT_HS256] = 32, [JWT_HS384] = 48, [JWT_HS512] = 64 };
	size_t i;

	if (!auth->secret)
		return 0;
	if (!(auth->algorithms & JWT_HMACS))
		return reader_warn(r, "the secret is for HS*, and no such algorithm is in jwt_algorithm");
	for (i = 0; i < ARRAY_SIZE(size); i++)
		if (auth->algorithms & JWT_BIT(i) && auth->secret_len < size[i])
			return reader_warn(r, too_short[i]);
	return 0;
}

int auth_finish(struct reader *r, void *object)
{
	struct auth_config *auth = object;
	int err;

	err = keys_read(r, auth);
	return err < 0 ? err : secret_finish(r, auth);
}

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void auth_free(struct auth_config *auth)
{
	size_t i;

	if (auth->secret)
		explicit_bzero(auth->secret, auth->secret_len);
	free(auth->secret);
	free(auth->public_key_file);
	free(auth->jwks_file);
	for (i = 0; i < auth->n_keys; i++)
		jwt_key_free(&auth->keys[i]);
	free(auth->keys);
	claim_rule_free(&auth->issuer);
	claim_rule_free(&auth->audience);
	for (i = 0; i < auth->n_claims; i++)
		claim_rule_free(&auth->claims[i]);
	free(auth->claims);
	for (i = 0; i < auth->n_tokens; i++)
		wipe_free(auth->tokens[i]);
	free(auth->tokens);
	for (i = 0; i < auth->n_exempt_paths; i++)
		free(auth->exempt_paths[i]);
	free(auth->exempt_paths);
}
