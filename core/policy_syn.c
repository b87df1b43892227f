// SPDX-License-Identifier: MIT
/* Floor 3: publishes the ports that the SYN guard is for. */
#include <arpa/inet.h>
#include <bpf/bpf.h>

#include "core/policy_syn.h"

static int write_port(int fd, uint16_t port, uint32_t generation)
{
	struct syn_port_key key = { .generation = generation, .port = htons(port) };
	__u32 value = 1;

	/* A port named twice says the same twice. */
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY);
}

int policy_syn_write(int fd, const struct config *config, uint32_t generation)
{
	const struct ddos_config *ddos = &config->ddos;
	int r = 0;

	if (!ddos->n_syn_ports)
		return 0;
	for (size_t i = 0; r == 0 && i < ddos->n_syn_ports; i++)
		r = write_port(fd, ddos->syn_ports[i], generation);
	for (size_t i = 0; r == 0 && i < config->n_listeners; i++)
		if (config->listeners[i].port)
			r = write_port(fd, config->listeners[i].port, generation);
	return r;
}
