// SPDX-License-Identifier: MIT
/*
 * Floor 4: whether the policy that a request was judged by is one that the routes in force go with.
 *
 * A request is judged when it comes, and routed when it is its turn. If a reload lies between the two, neither the old policy nor
 * the new one has allowed it to go where the new routes say: unless both judge alike, and only routes or endpoints have changed.
 */
#include "gateway/http_internal.h"

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void http_policy_change(struct gateway *gateway, const struct config *config)
{
	gateway->policy = gateway->hooks->policy(gateway->hooks->data);
	if (!gateway->config || !config_judges_alike(gateway->config, config))
		gateway->policy_since = gateway->policy;
}

void http_policy_begin(struct http_client *client, const struct gateway_judged *judged)
{
	/* Of what came before number `from` nothing is known: older than any. */
	client->policy = judged->from ? client->worker->gateway->policy_since - 1 : judged->policy;
}

/* Raises client->policy to what is known of the request that comes next, and of all behind it. Returns whether that is exact. */
static bool policy_learn(struct http_client *client, const struct gateway_judged *judged)
{
	if (is_before(client->taken, judged->from))
		return false;
	client->policy = judged->policy;
	return true;
}

enum http_judged http_policy_judged(struct http_client *client)
{
	const struct gateway *gateway = client->worker->gateway;
	const struct gateway_hooks *hooks = gateway->hooks;
	bool dry_run = !gateway->config->listeners[client->gate->index].enforce;
	struct gateway_judged judged;

	if (client->gate->gone)
		return HTTP_UNJUDGED;
	/* What has come by now was judged by no later policy than is in force now. */
	if (client->policy == gateway->policy && hooks->policy(hooks->data) == gateway->policy)
		return HTTP_JUDGED;
	if (!hooks->judged(hooks->data, client->peer.fd, dry_run, &judged))
		return HTTP_UNJUDGED;
	if (policy_learn(client, &judged) && is_before(gateway->policy, client->policy))
		return HTTP_JUDGED_LATER;
	return is_before(client->policy, gateway->policy_since) && !dry_run ? HTTP_JUDGED_BEFORE : HTTP_JUDGED;
}
