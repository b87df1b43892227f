/* SPDX-License-Identifier: MIT */
/*
 * Bench tool: a flood, at a bounded rate and for a bounded time, as a driver of a network card would hand it to the server: whole
 * frames, made in the kernel (live test runs of flood.bpf.c, Linux 5.18) and sent out by the interface as XDP frames.
 *
 *   floodgen prepare INTERFACE                      the server's: a queue for each CPU, and GRO, so that it takes XDP frames
 *   floodgen sink INTERFACE SOURCE                  the sender's: answers to the flood end there; stays after this ends
 *   floodgen send INTERFACE MAC SOURCE DESTINATION PORT syn|udp|spoofed PER_SECOND SECONDS
 *
 * send prints how many frames a second the other end took, and nanoseconds of a processor for each that was sent: to make it, and
 * what the kernel does with it before it lets the sender go on, which is most of what it does with it at all. One thread sends on each CPU, as a card spreads what it receives. The
 * threads go before others, for what is received does too; and what a CPU had no time to send is not sent later.
 *
 * spoofed: SYNs whose sources are made up, in 198.18.0.0/15 (RFC 2544); SOURCE is not used then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "tests/bench/flood.h"

#ifndef MPBPF_BUILD
#define MPBPF_BUILD "build"
#endif

#define BATCH 64
#define SENDERS_MAX 64
#define SLICE_NS 1000000
#define LATE_SLICES 20 /* a sender that is later than that leaves out what it has not sent */
#define UDP_PAYLOAD 18 /* fills the shortest frame */

struct frame {
	uint16_t align;
	struct ether_header eth;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		uint8_t rest[FLOOD_FRAME - sizeof(struct ether_header) - sizeof(struct iphdr)];
	};
};

struct flood {
	struct frame frame;
	uint32_t ifindex;
	bool tcp, spoofed;
	long per_second, seconds; /* of each sender */
	int program;
};

struct sender {
	const struct flood *flood;
	pthread_t thread;
	int cpu;
	long sent; /* or -errno */
};

static int failed(const char *what, int r)
{
	fprintf(stderr, "floodgen: %s: %s\n", what, strerror(-r));
	return r;
}

static struct bpf_object *object_open(void)
{
	static const char path[] = MPBPF_BUILD "/tests/bench/flood.bpf.o";
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (object && !bpf_object__load(object))
		return object;
	failed(path, -errno);
	return NULL;
}

static int program_fd(const struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static int map_set(const struct bpf_object *object, const char *name, const void *value)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, name), &zero, value, BPF_ANY);
}

/* ---- prepare, sink ---- */

static int device(int fd, const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static int prepare(const char *name)
{
	struct ethtool_value gro = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	uint32_t cpus = libbpf_num_possible_cpus();

	if (fd < 0)
		return failed("socket", -errno);
	r = device(fd, name, &channels);
	if (r == 0) {
		channels.cmd = ETHTOOL_SCHANNELS;
		channels.rx_count = cpus < channels.max_rx ? cpus : channels.max_rx;
		r = device(fd, name, &channels);
	}
	if (r == 0)
		r = device(fd, name, &gro);
	close(fd);
	return r < 0 ? failed(name, r) : 0;
}

static int sink(const char *name, const char *source)
{
	struct bpf_object *object = object_open();
	struct in_addr flooder;
	int r;

	if (!object || inet_pton(AF_INET, source, &flooder) != 1)
		return -EINVAL;
	r = map_set(object, "flooders", &flooder);
	if (r == 0)
		r = bpf_xdp_attach(if_nametoindex(name), program_fd(object, "xdp_sink"), XDP_FLAGS_DRV_MODE, NULL);
	return r < 0 ? failed(name, r) : 0;
}

/* ---- send ---- */

static uint32_t sum16(const void *at, size_t len)
{
	const uint16_t *words = at;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	return sum;
}

static int own_mac(const char *name, uint8_t ret[ETH_ALEN])
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	struct ifreq request = {};

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	r = fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0 ? -errno : 0;
	memcpy(ret, request.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
	return r;
}

static bool frame_make(struct flood *flood, char **argv)
{
	struct frame *f = &flood->frame;
	struct ether_addr *mac = ether_aton(argv[3]);
	struct in_addr source, dest;
	size_t l4 = flood->tcp ? sizeof(f->tcp) : sizeof(f->udp) + UDP_PAYLOAD;

	if (!mac || inet_pton(AF_INET, argv[4], &source) != 1 || inet_pton(AF_INET, argv[5], &dest) != 1)
		return false;
	memcpy(f->eth.ether_dhost, mac, ETH_ALEN);
	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->ip = (struct iphdr){ .version = 4,
				.ihl = 5,
				.ttl = 64,
				.protocol = flood->tcp ? IPPROTO_TCP : IPPROTO_UDP,
				.tot_len = htons(sizeof(f->ip) + l4),
				.saddr = flood->spoofed ? 0 : source.s_addr,
				.daddr = dest.s_addr };
	if (flood->tcp)
		f->tcp = (struct tcphdr){ .dest = htons(atoi(argv[6])), .doff = 5, .syn = 1, .window = htons(65535) };
	else
		f->udp = (struct udphdr){ .dest = htons(atoi(argv[6])), .len = htons(l4) };
	return true;
}

/* The program adds the source to both sums. */
static struct flood_shape shape_of(const struct flood *flood)
{
	const struct frame *f = &flood->frame;
	struct flood_shape shape = { .tcp = flood->tcp, .spoofed = flood->spoofed };

	memcpy(shape.frame, &f->eth, sizeof(shape.frame));
	shape.ip_sum = sum16(&f->ip, offsetof(struct iphdr, saddr)) + sum16(&f->ip.daddr, sizeof(f->ip.daddr));
	shape.tcp_sum = sum16(&f->ip.daddr, sizeof(f->ip.daddr)) + htons(IPPROTO_TCP) + htons(sizeof(f->tcp)) +
			sum16(&f->tcp, sizeof(f->tcp));
	return shape;
}

static int randoms_set(const struct bpf_object *object)
{
	int n = libbpf_num_possible_cpus();
	uint64_t values[n > 0 ? n : 1];

	for (int i = 0; i < n; i++)
		values[i] = (i + 1) * 0x9e3779b97f4a7c15ULL;
	return map_set(object, "randoms", values);
}

static int send_now(const struct flood *flood, long n)
{
	struct xdp_md ctx = { .data_end = FLOOD_FRAME, .ingress_ifindex = flood->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &flood->frame.eth, .data_size_in = FLOOD_FRAME, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH, .repeat = n);

	return bpf_prog_test_run_opts(flood->program, &opts);
}

static long sender_run(const struct flood *flood)
{
	const struct timespec pause = { .tv_nsec = SLICE_NS / 4 };
	const double per_ns = flood->per_second / 1e9;
	int64_t start = clock_ns(CLOCK_MONOTONIC), spent = 0;
	long sent = 0, left_out = 0, due;
	int r;

	while (spent < flood->seconds * NSEC_PER_SEC) {
		due = per_ns * spent - sent - left_out;
		if (due > per_ns * SLICE_NS * LATE_SLICES) {
			left_out += due - per_ns * SLICE_NS;
			due = per_ns * SLICE_NS;
		}
		if (due < BATCH) {
			nanosleep(&pause, NULL);
		} else {
			r = send_now(flood, due);
			if (r < 0 && r != -EINTR && r != -EAGAIN)
				return r;
			sent += r < 0 ? 0 : due;
		}
		spent = clock_ns(CLOCK_MONOTONIC) - start;
	}
	return sent;
}

static void *sender_main(void *arg)
{
	struct sender *sender = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sender->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	sender->sent = sender_run(sender->flood);
	return NULL;
}

static int senders_find(struct sender senders[SENDERS_MAX], const struct flood *flood)
{
	cpu_set_t cpus;
	int n = 0;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < SENDERS_MAX; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			senders[n++] = (struct sender){ .flood = flood, .cpu = cpu };
	return n;
}

static long senders_run(struct flood *flood)
{
	struct sender senders[SENDERS_MAX];
	int n = senders_find(senders, flood), r = 0;
	long sent = 0;

	if (n < 0)
		return n;
	flood->per_second /= n;
	for (int i = 0; i < n && r == 0; i++)
		r = -pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]);
	for (int i = 0; i < n && r == 0; i++) {
		pthread_join(senders[i].thread, NULL);
		r = senders[i].sent < 0 ? senders[i].sent : 0;
		sent += senders[i].sent;
	}
	return r < 0 ? r : sent;
}

/* Frames that the interface could not hand to its other end. */
static long dropped(const char *name)
{
	struct ifaddrs *all, *one;
	long sum = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (one = all; one; one = one->ifa_next)
		if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && !strcmp(one->ifa_name, name))
			sum = ((struct rtnl_link_stats *)one->ifa_data)->tx_dropped;
	freeifaddrs(all);
	return sum;
}

/*
 * The kernel calls the XDP programs that it knows directly, and waits for a grace period when it comes to know one, as each test
 * run does with its own: unless that is on some interface. Nothing comes by this one.
 */
static int stay_known(const struct bpf_object *object)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);

	return bpf_link_create(program_fd(object, "xdp_flood"), if_nametoindex("lo"), BPF_XDP, &opts);
}

static int64_t cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static int send_flood(char **argv)
{
	struct flood flood = { .ifindex = if_nametoindex(argv[2]),
			       .spoofed = !strcmp(argv[7], "spoofed"),
			       .tcp = strcmp(argv[7], "udp"),
			       .per_second = atol(argv[8]),
			       .seconds = atol(argv[9]) };
	struct bpf_object *object = object_open();
	struct flood_shape shape;
	long sent, before;
	int64_t spent;
	int r;

	if (!object || !flood.ifindex || !frame_make(&flood, argv) || flood.per_second <= 0 || flood.seconds <= 0)
		return failed("arguments", -EINVAL);
	flood.program = program_fd(object, "xdp_flood");
	r = own_mac(argv[2], flood.frame.eth.ether_shost);
	shape = shape_of(&flood);
	if (r == 0)
		r = map_set(object, "shapes", &shape);
	if (r == 0)
		r = randoms_set(object);
	if (r == 0)
		r = stay_known(object);
	if (r >= 0 && setpriority(PRIO_PROCESS, 0, -20) < 0)
		r = -errno;
	if (r < 0)
		return failed(argv[2], r);
	before = dropped(argv[2]);
	spent = cpu_ns();
	sent = senders_run(&flood);
	spent = cpu_ns() - spent;
	if (sent < 0)
		return failed("live test run", sent);
	printf("%ld %ld\n", (sent - (dropped(argv[2]) - before)) / flood.seconds, sent ? spent / sent : 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(command, "prepare"))
		return prepare(argv[2]) < 0;
	if (argc == 4 && !strcmp(command, "sink"))
		return sink(argv[2], argv[3]) < 0;
	if (argc == 10 && !strcmp(command, "send"))
		return send_flood(argv) < 0;
	fputs("usage: floodgen prepare INTERFACE | sink INTERFACE SOURCE |\n"
	      "       send INTERFACE MAC SOURCE DESTINATION PORT syn|udp|spoofed PER_SECOND SECONDS\n",
	      stderr);
	return 2;
}
