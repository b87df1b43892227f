// SPDX-License-Identifier: MIT
/* Floor 3: facts of a load that the kernel does not keep, as JSON in the runtime directory, replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <cjson/cJSON.h>

#include "core/runtime.h"
#include "core/util.h"

#define FACTS "facts.json"
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

int runtime_facts_write(const struct runtime *runtime, const struct runtime_facts *facts)
{
	_cleanup_(json_free) cJSON *json = facts_json(facts);
	_cleanup_free_ char *text = json ? cJSON_Print(json) : NULL;
	_cleanup_close_ int fd = -1;
	size_t len;

	if (!text)
		return -ENOMEM;
	fd = openat(runtime->fd, FACTS "+new", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	len = strlen(text);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			return -errno;
		done += n;
	}
	return renameat(runtime->fd, FACTS "+new", runtime->fd, FACTS) < 0 ? -errno : 0;
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
	const cJSON *ifaces = cJSON_GetObjectItemCaseSensitive(json, "ifaces"), *one;

	if (!cJSON_IsNumber(unguarded) || !cJSON_IsArray(ifaces) || cJSON_GetArraySize(ifaces) > RUNTIME_IFACES_MAX ||
	    copy_member(json, "cgroup", facts->cgroup, sizeof(facts->cgroup)) < 0)
		return -EBADMSG;
	facts->unguarded = unguarded->valuedouble;
	facts->n_ifaces = 0;
	cJSON_ArrayForEach(one, ifaces) {
		if (copy_member(one, "name", facts->ifaces[facts->n_ifaces].name, RUNTIME_IFNAME_MAX) < 0)
			return -EBADMSG;
		facts->ifaces[facts->n_ifaces++].native = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "native"));
	}
	return 0;
}

int runtime_facts_read(const struct runtime *runtime, struct runtime_facts *ret)
{
	_cleanup_close_ int fd = openat(runtime->fd, FACTS, O_RDONLY | O_CLOEXEC);
	_cleanup_(json_free) cJSON *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct runtime_facts facts = {};
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	text = malloc(FACTS_MAX);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, FACTS_MAX);
	if (n < 0)
		return -errno;
	json = cJSON_ParseWithLength(text, n);
	if (!json)
		return -EBADMSG;
	r = facts_parse(json, &facts);
	if (r == 0)
		*ret = facts;
	return r;
}
