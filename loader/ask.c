// SPDX-License-Identifier: MIT
/* Floor 5: the client's side of the agent's control socket. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <cjson/cJSON.h>

#include "core/util.h"
#include "loader/ask.h"
#include "loader/commands.h"
#include "loader/log.h"

/* Warnings may be many, and endpoints more. */
#define ANSWER_STEP (256 << 10)
#define ANSWER_MAX (256 * ANSWER_STEP)
/* A reload of 65,536 networks takes about a second; the agent may be starting. */
#define ANSWER_SECONDS 30
#define STATS_SECONDS 1
#define CONNECT_TRIES 40
#define CONNECT_USEC 50000

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

/* An agent that is just starting holds its lock but does not listen yet. */
static int connect_agent(const struct runtime *runtime, int seconds, int tries)
{
	struct timeval timeout = { .tv_sec = seconds };
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = runtime_socket(runtime, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	for (int i = 0; i < tries; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return TAKE_FD(fd);
		if (errno != ENOENT && errno != ECONNREFUSED)
			break;
		usleep(CONNECT_USEC);
	}
	return -errno;
}

static char *compose(const char *path)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	_cleanup_free_ char *text = NULL;
	char *line;

	if (!json || !cJSON_AddStringToObject(json, "op", "reload") || !cJSON_AddStringToObject(json, "path", path))
		return NULL;
	text = cJSON_PrintUnformatted(json);
	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

/* Logs the error or the notes. */
static int read_answer(const char *text, size_t len, int *ret_exit)
{
	_cleanup_(json_free) cJSON *json = cJSON_ParseWithLength(text, len);
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(json, "exit"), *note;
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "error"));

	if (!json)
		return -EBADMSG;
	if (error)
		log_line("%s", error);
	cJSON_ArrayForEach(note, cJSON_GetObjectItemCaseSensitive(json, "notes"))
		log_line("%s", cJSON_GetStringValue(note) ?: "");
	*ret_exit = EXIT_DONE;
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "ok")))
		*ret_exit = cJSON_IsNumber(code) && code->valueint == EXIT_USAGE ? EXIT_USAGE : EXIT_FAILED;
	return 0;
}

/* Until its line is whole. */
static int receive(int fd, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *answer = NULL;
	size_t len = 0, size = 0;
	ssize_t n;

	do {
		if (len == size) {
			char *longer = size < ANSWER_MAX ? realloc(answer, size + ANSWER_STEP) : NULL;

			if (!longer)
				return size < ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
			answer = longer;
			size += ANSWER_STEP;
		}
		n = recv(fd, answer + len, size - len, 0);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		len += n;
	} while (!memchr(answer + len - n, '\n', n));
	*ret = TAKE_PTR(answer);
	*ret_len = len;
	return 0;
}

/* One line each way. */
static int converse(int fd, const char *question, char **ret, size_t *ret_len)
{
	ssize_t n = send(fd, question, strlen(question), MSG_NOSIGNAL);

	if (n != (ssize_t)strlen(question))
		return n < 0 ? -errno : -EIO;
	return receive(fd, ret, ret_len);
}

int ask_reload(const struct runtime *runtime, const char *path, int *ret_exit)
{
	_cleanup_free_ char *question = compose(path), *answer = NULL;
	_cleanup_close_ int fd = -1;
	size_t len;
	int r;

	if (!question)
		return -ENOMEM;
	fd = connect_agent(runtime, ANSWER_SECONDS, CONNECT_TRIES);
	if (fd < 0)
		return fd;
	r = converse(fd, question, &answer, &len);
	return r < 0 ? r : read_answer(answer, len, ret_exit);
}

int ask_stats(const struct runtime *runtime, cJSON **ret)
{
	_cleanup_free_ char *answer = NULL;
	_cleanup_close_ int fd = connect_agent(runtime, STATS_SECONDS, 1);
	cJSON *json;
	size_t len;
	int r;

	if (fd < 0)
		return fd;
	r = converse(fd, "{\"op\":\"stats\"}\n", &answer, &len);
	if (r < 0)
		return r;
	json = cJSON_ParseWithLength(answer, len);
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "ok"))) {
		cJSON_Delete(json);
		return -EBADMSG;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(json, "ok");
	*ret = json;
	return 0;
}
