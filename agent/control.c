// SPDX-License-Identifier: MIT
/* Floor 5: serves the control socket: one line of JSON in, one line of JSON out, then the connection is closed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "agent/gateways.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"

#define LINE_MAX_BYTES 8192
#define BACKLOG 8
#define CLIENT_SECONDS 5

struct control_server {
	struct agent *agent;
	struct evconnlistener *listener;
};

static void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

static cJSON *refusal(int code, const char *text)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddBoolToObject(json, "ok", false);
	cJSON_AddNumberToObject(json, "exit", code);
	cJSON_AddStringToObject(json, "error", text);
	return json;
}

static void add_note(cJSON *notes, const char *text)
{
	cJSON *note = cJSON_CreateString(text);

	log_line("%s", text);
	if (!cJSON_AddItemToArray(notes, note))
		cJSON_Delete(note);
}

static cJSON *reload(struct agent *agent, const char *path)
{
	struct apply_report report;
	cJSON *json, *notes;
	int code;

	code = agent_reload(agent, path, &report);
	log_line("reload of %s: %s", path, code == EXIT_DONE ? "in force" : report.text);
	if (code != EXIT_DONE)
		return refusal(code, report.text);
	json = cJSON_CreateObject();
	cJSON_AddBoolToObject(json, "ok", true);
	notes = cJSON_AddArrayToObject(json, "notes");
	for (size_t i = 0; i < agent->config->n_warnings; i++)
		add_note(notes, agent->config->warnings[i]);
	if (report.text[0])
		add_note(notes, report.text);
	return json;
}

static cJSON *stats(struct agent *agent)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddBoolToObject(json, "ok", true);
	if (gateways_stats(agent, json))
		return json;
	cJSON_Delete(json);
	return refusal(EXIT_FAILED, "out of memory");
}

static cJSON *handle(struct agent *agent, const char *line)
{
	_cleanup_(json_free) cJSON *json = cJSON_Parse(line);
	const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "op"));
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "path"));

	if (op && !strcmp(op, "stats"))
		return stats(agent);
	if (!op || strcmp(op, "reload") || !path || path[0] != '/' || strlen(path) >= PATH_MAX)
		return refusal(EXIT_USAGE, "expected {\"op\":\"reload\",\"path\":\"/…\"} or {\"op\":\"stats\"}");
	return reload(agent, path);
}

static void on_written(struct bufferevent *client, void *data)
{
	(void)data;
	bufferevent_free(client);
}

static void on_end(struct bufferevent *client, short what, void *data)
{
	(void)what;
	(void)data;
	bufferevent_free(client);
}

static void on_line(struct bufferevent *client, void *data)
{
	struct control_server *server = data;
	struct evbuffer *input = bufferevent_get_input(client);
	_cleanup_free_ char *line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF);
	_cleanup_(json_free) cJSON *json = NULL;
	_cleanup_free_ char *text = NULL;

	if (!line) {
		if (evbuffer_get_length(input) >= LINE_MAX_BYTES)
			bufferevent_free(client);
		return;
	}
	json = handle(server->agent, line);
	text = cJSON_PrintUnformatted(json);
	bufferevent_disable(client, EV_READ);
	bufferevent_setcb(client, NULL, on_written, on_end, server);
	if (!text || evbuffer_add_printf(bufferevent_get_output(client), "%s\n", text) < 0)
		bufferevent_free(client);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
		      void *data)
{
	struct timeval timeout = { .tv_sec = CLIENT_SECONDS };
	struct control_server *server = data;
	struct bufferevent *client;

	(void)address;
	(void)len;
	client = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client) {
		close(fd);
		return;
	}
	bufferevent_setcb(client, on_line, NULL, on_end, server);
	bufferevent_setwatermark(client, EV_READ, 0, LINE_MAX_BYTES);
	bufferevent_set_timeouts(client, &timeout, &timeout);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

/* Holding the agent's lock, whatever socket is there is a dead agent's. */
static int listen_socket(const struct runtime *runtime)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = runtime_socket(runtime, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(address.sun_path, 0600) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int control_open(struct agent *agent, struct control_server **ret)
{
	_cleanup_free_ struct control_server *server = calloc(1, sizeof(*server));
	int fd;

	if (!server)
		return -ENOMEM;
	fd = listen_socket(&agent->runtime);
	if (fd < 0)
		return fd;
	server->agent = agent;
	server->listener = evconnlistener_new(agent->base, on_client, server,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!server->listener) {
		close(fd);
		return -ENOMEM;
	}
	*ret = TAKE_PTR(server);
	return 0;
}

void control_close(struct control_server *server)
{
	struct sockaddr_un address;

	if (!server)
		return;
	if (runtime_socket(&server->agent->runtime, &address) == 0)
		unlink(address.sun_path);
	evconnlistener_free(server->listener);
	free(server);
}
