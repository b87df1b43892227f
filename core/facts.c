// SPDX-License-Identifier: MIT
/*
 * Floor 3: facts of a load that the kernel does not keep, as JSON in the runtime directory, replaced as a whole. What a sysctl
 * was before stands in a file of its own: the agent writes it while it serves, and load writes the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cjson/cJSON.h>

#include "core/runtime.h"
#include "core/util.h"

#define FACTS "facts.json"
#define SYSCTL "sysctl.json"
#define FACTS_MAX 65536

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

static cJSON *facts_json(const struct runtime_facts *facts)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *ifaces, *one;

	if (!json || !cJSON_AddNumberToObject(json, "unguarded", facts->unguarded) ||
	    !cJSON_AddNumberToObject(json, "netns", facts->netns) ||
	    !cJSON_AddStringToObject(json, "cgroup", facts->cgroup))
		return NULL;
	ifaces = cJSON_AddArrayToObject(json, "ifaces");
	for (size_t i = 0; i < facts->n_ifaces; i++) {
		one = cJSON_CreateObject();
		if (!cJSON_AddItemToArray(ifaces, one)) {
			cJSON_Delete(one);
			return NULL;
		}
		if (!cJSON_AddStringToObject(one, "name", facts->ifaces[i].name) ||
		    !cJSON_AddBoolToObject(one, "native", facts->ifaces[i].native))
			return NULL;
	}
	return TAKE_PTR(json);
}

static int write_json(const struct runtime *runtime, const cJSON *json, const char *new, const char *name)
{
	_cleanup_free_ char *text = json ? cJSON_Print(json) : NULL;
	_cleanup_close_ int fd = -1;
	size_t len;

	if (!text)
		return -ENOMEM;
	fd = openat(runtime->fd, new, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	len = strlen(text);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			return -errno;
		done += n;
	}
	return renameat(runtime->fd, new, runtime->fd, name) < 0 ? -errno : 0;
}

int runtime_facts_write(const struct runtime *runtime, const struct runtime_facts *facts)
{
	_cleanup_(json_free) cJSON *json = facts_json(facts);

	return write_json(runtime, json, FACTS "+new", FACTS);
}

static int copy_member(const cJSON *object, const char *name, char *ret, size_t size)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsString(member) || strlen(member->valuestring) >= size)
		return -EBADMSG;
	strcpy(ret, member->valuestring);
	return 0;
}

static int facts_parse(const cJSON *json, struct runtime_facts *facts)
{
	const cJSON *unguarded = cJSON_GetObjectItemCaseSensitive(json, "unguarded");
	const cJSON *ifaces = cJSON_GetObjectItemCaseSensitive(json, "ifaces"), *netns, *one;

	if (!cJSON_IsNumber(unguarded) || !cJSON_IsArray(ifaces) || cJSON_GetArraySize(ifaces) > RUNTIME_IFACES_MAX ||
	    copy_member(json, "cgroup", facts->cgroup, sizeof(facts->cgroup)) < 0)
		return -EBADMSG;
	facts->unguarded = unguarded->valuedouble;
	netns = cJSON_GetObjectItemCaseSensitive(json, "netns");
	facts->netns = cJSON_IsNumber(netns) ? netns->valuedouble : 0;
	facts->n_ifaces = 0;
	cJSON_ArrayForEach(one, ifaces) {
		if (copy_member(one, "name", facts->ifaces[facts->n_ifaces].name, RUNTIME_IFNAME_MAX) < 0)
			return -EBADMSG;
		facts->ifaces[facts->n_ifaces++].native = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "native"));
	}
	return 0;
}

static int read_json(const struct runtime *runtime, const char *name, cJSON **ret)
{
	_cleanup_close_ int fd = openat(runtime->fd, name, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return -errno;
	text = malloc(FACTS_MAX);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, FACTS_MAX);
	if (n < 0)
		return -errno;
	*ret = cJSON_ParseWithLength(text, n);
	return *ret ? 0 : -EBADMSG;
}

int runtime_facts_read(const struct runtime *runtime, struct runtime_facts *ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	struct runtime_facts facts = {};
	int r;

	r = read_json(runtime, FACTS, &json);
	if (r == 0)
		r = facts_parse(json, &facts);
	if (r == 0)
		*ret = facts;
	return r;
}

int runtime_sysctl_write(const struct runtime *runtime, const struct runtime_sysctl *sysctl)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddNumberToObject(json, "netns", sysctl->netns) ||
	    !cJSON_AddNumberToObject(json, "tcp_syncookies", sysctl->syncookies))
		return -ENOMEM;
	return write_json(runtime, json, SYSCTL "+new", SYSCTL);
}

int runtime_sysctl_read(const struct runtime *runtime, struct runtime_sysctl *ret)
{
	_cleanup_(json_free) cJSON *json = NULL;
	const cJSON *netns, *syncookies;
	int r;

	r = read_json(runtime, SYSCTL, &json);
	if (r < 0)
		return r;
	netns = cJSON_GetObjectItemCaseSensitive(json, "netns");
	syncookies = cJSON_GetObjectItemCaseSensitive(json, "tcp_syncookies");
	if (!cJSON_IsNumber(netns) || !cJSON_IsNumber(syncookies))
		return -EBADMSG;
	*ret = (struct runtime_sysctl){ .netns = netns->valuedouble, .syncookies = syncookies->valueint };
	return 0;
}

int runtime_sysctl_forget(const struct runtime *runtime)
{
	return unlinkat(runtime->fd, SYSCTL, 0) < 0 && errno != ENOENT ? -errno : 0;
}
