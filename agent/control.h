/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: the agent's control socket. One line of JSON each way:
 *
 *	{"op":"reload","path":"/…"}	{"ok":true,"notes":[…]} or {"ok":false,"error":"…","exit":2}
 *	{"op":"stats"}			{"ok":true}, and with a gateway its objects of `mpbpf stats --json`
 */
#ifndef MPBPF_AGENT_CONTROL_H
#define MPBPF_AGENT_CONTROL_H

struct agent;
struct control_server;

/* Listens in the runtime directory, mode 0600, on the agent's event base. 0 or -errno. */
int control_open(struct agent *agent, struct control_server **ret);
void control_close(struct control_server *server);

#endif
