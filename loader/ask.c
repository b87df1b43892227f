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

/* Warnings may be many. */
#define ANSWER_MAX (256 << 10)
/* A reload of 65,536 networks takes about a second; the agent may be starting. */
#define ANSWER_SECONDS 30
#define CONNECT_TRIES 40
#define CONNECT_USEC 50000

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

/* An agent that is just starting holds its lock but does not listen yet. */
static int connect_agent(const struct runtime *runtime)
{
	struct timeval timeout = { .tv_sec = ANSWER_SECONDS };
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
	for (int i = 0; i < CONNECT_TRIES; i++) {
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

int ask_reload(const struct runtime *runtime, const char *path, int *ret_exit)
{
	_cleanup_free_ char *question = compose(path);
	_cleanup_free_ char *answer = malloc(ANSWER_MAX);
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n;

	if (!question || !answer)
		return -ENOMEM;
	fd = connect_agent(runtime);
	if (fd < 0)
		return fd;
	n = send(fd, question, strlen(question), MSG_NOSIGNAL);
	if (n != (ssize_t)strlen(question))
		return n < 0 ? -errno : -EIO;
	do {
		n = recv(fd, answer + len, ANSWER_MAX - len, 0);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		len += n;
	} while (!memchr(answer, '\n', len) && len < ANSWER_MAX);
	return read_answer(answer, len, ret_exit);
}
