// SPDX-License-Identifier: MIT
/* Floor 4: the clusters as they are now, for who has to know where connections would go. */
#include <stdatomic.h>

#include "gateway/backend.h"

struct clusters_call {
	void (*each)(size_t service, const struct cluster *cluster, void *data);
	void *data;
};

static void tell(struct gateway *gateway, void *data)
{
	const struct clusters_call *call = data;

	workers_halt(gateway);
	for (size_t i = 0; gateway->config && i < gateway->config->n_services; i++)
		if (gateway->served[i])
			call->each(i, &gateway->served[i]->cluster, call->data);
	workers_go(gateway);
}

void gateway_clusters(struct gateway *gateway, void (*each)(size_t service, const struct cluster *cluster, void *data),
		      void *data)
{
	struct clusters_call call = { .each = each, .data = data };

	gateway_call(gateway, tell, &call);
}

void gateway_changed(struct gateway *gateway)
{
	atomic_fetch_add(&gateway->changes, 1);
}

uint32_t gateway_changes(const struct gateway *gateway)
{
	return atomic_load(&gateway->changes);
}
