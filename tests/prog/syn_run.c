/* SPDX-License-Identifier: MIT */
/* Tests: SYNs through xdp_ingress. Answers are judged by their bytes, with nothing of the program's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "syn_run.h"
#include "tap.h"

#define NET                                                                     \
	"ip -batch - <<-END\n"                                                  \
	"address add 198.51.100.1/32 dev lo\naddress add 192.0.2.1/32 dev lo\n" \
	"address add 2001:db8:ffff::1/128 dev lo nodad\n"                       \
	"address add 2001:db8::1/128 dev lo nodad\nlink set lo up\n"            \
	"link add away0 type veth peer name away1\nlink set away0 up\n"         \
	"route add 198.51.100.0/24 dev away0\nroute add 2001:db8:ffff::/64 dev away0\nEND\n"

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

void syn_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "w");
	if (!f || fputs(value, f) < 0 || fclose(f))
		tap_bail("%s: %s", path, strerror(errno));
}

int syn_net_open(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT_SERVED) };
	int fd;

	if (unshare(CLONE_NEWNET) || system(NET))
		tap_bail("no network namespace: %s", strerror(errno));
	syn_sysctl("ipv4/tcp_syncookies", "2");
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (void *)&any, sizeof(any)) || listen(fd, 16))
		tap_bail("cannot listen: %s", strerror(errno));
	return fd;
}

static int map_of(const struct xdp_run *run, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(run->object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

void syn_link_set(const struct xdp_run *run, const uint8_t mac[6])
{
	struct syn_link link = {};
	uint32_t lo = 1; /* whose frames test runs are */

	memcpy(link.mac, mac, sizeof(link.mac));
	if (bpf_map_update_elem(map_of(run, "syn_links"), &lo, &link, BPF_ANY))
		tap_bail("syn_links: %s", strerror(errno));
}

void syn_state_set(const struct xdp_run *run, const struct syn_state *state)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(map_of(run, "syn_state"), &zero, state, BPF_ANY))
		tap_bail("syn_state: %s", strerror(errno));
}

struct syn_state syn_state_get(const struct xdp_run *run)
{
	struct syn_state state;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(map_of(run, "syn_state"), &zero, &state))
		tap_bail("syn_state: %s", strerror(errno));
	return state;
}

void syn_build(const struct packet_spec *spec, uint8_t flags, uint16_t mss, struct frame *frame)
{
	uint8_t *tcp;

	packet_build(spec, frame);
	tcp = frame->bytes + frame->l4;
	put32(tcp + 4, SYN_SEQ);
	tcp[13] = flags;
	tcp[14] = 0xfa;
	if (mss)
		put32(tcp + 20, 0x02040000 | mss);
}

void syn_acknowledge(const struct answer *answer, const struct frame *syn, uint32_t off, struct frame *frame)
{
	const uint8_t *tcp = answer->bytes + syn->l3 + (answer->bytes[syn->l3] >> 4 == 4 ? 20 : 40);

	*frame = *syn;
	put32(frame->bytes + frame->l4 + 4, SYN_SEQ + 1);
	put32(frame->bytes + frame->l4 + 8, get32(tcp + 4) + 1 + off);
	frame->bytes[frame->l4 + 13] = FLAG_ACK;
}

void syn_run(const struct xdp_run *run, const struct frame *frame, size_t linear, uint32_t repeat, struct answer *ret)
{
	struct xdp_md ctx = { .data_end = linear };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .data_out = ret->bytes, .data_size_out = sizeof(ret->bytes), .repeat = repeat);

	memset(ret->bytes, 0xee, sizeof(ret->bytes));
	if (linear) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	ret->action = bpf_prog_test_run_opts(run->program, &opts) ? -errno : (int)opts.retval;
	ret->len = opts.data_size_out;
}

/* The ones' complement sum as RFC 1071 has it, byte by byte. */
static uint16_t checksum(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_ip(const uint8_t *ip, const uint8_t *of, bool v4, const char *what)
{
	size_t at = v4 ? 12 : 8, size = v4 ? 4 : 16;

	CHECK(!memcmp(ip + at, of + at + size, size) && !memcmp(ip + at + size, of + at, size), "%s: addresses", what);
	if (v4) {
		static const uint8_t head[10] = { 0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6 };

		CHECK(!memcmp(ip, head, sizeof(head)), "%s: IPv4 header", what);
		CHECK(checksum(ip, 20, 0) == 0xffff, "%s: IPv4 checksum", what);
	} else {
		static const uint8_t head[8] = { 0x60, 0, 0, 0, 0, 24, 6, 64 };

		CHECK(!memcmp(ip, head, sizeof(head)), "%s: IPv6 header", what);
	}
}

static void check_tcp(const uint8_t *tcp, const uint8_t *of, uint16_t mss, const char *what)
{
	CHECK(!memcmp(tcp, of + 2, 2) && !memcmp(tcp + 2, of, 2), "%s: ports", what);
	CHECK(get32(tcp + 8) == SYN_SEQ + 1, "%s: acknowledges %x", what, get32(tcp + 8));
	CHECK(tcp[12] == 0x60 && tcp[13] == (FLAG_SYN | FLAG_ACK), "%s: flags %x %x", what, tcp[12], tcp[13]);
	CHECK(get16(tcp + 14) >= 14600, "%s: window %u", what, get16(tcp + 14));
	CHECK(!get16(tcp + 18), "%s: urgent pointer", what);
	CHECK(get32(tcp + 20) == (0x02040000u | mss), "%s: option %x, not the MSS %u", what, get32(tcp + 20), mss);
}

void syn_check_answer(const struct answer *answer, const struct frame *syn, uint16_t mss, const char *what)
{
	const uint8_t *ip = answer->bytes + syn->l3, *of = syn->bytes;
	bool v4 = of[syn->l3] >> 4 == 4;
	size_t ip_size = v4 ? 20 : 40, addresses = v4 ? 8 : 32;

	if (!CHECK(answer->action == XDP_TX, "%s: action %d", what, answer->action))
		return;
	CHECK(answer->len == syn->l3 + ip_size + 24 + (v4 ? 4 : 0), "%s: %u bytes", what, answer->len);
	CHECK(!v4 || !get32(ip + 44), "%s: padding", what);
	CHECK(!memcmp(answer->bytes, of + 6, 6) && !memcmp(answer->bytes + 6, of, 6), "%s: MAC addresses", what);
	CHECK(!memcmp(answer->bytes + 12, of + 12, syn->l3 - 12), "%s: tags", what);
	check_ip(ip, of + syn->l3, v4, what);
	check_tcp(ip + ip_size, of + syn->l4, mss, what);
	CHECK(checksum(ip + ip_size - addresses, addresses + 24, 6 + 24) == 0xffff, "%s: TCP checksum", what);
}
