// SPDX-License-Identifier: MIT
/* Unit tests of core/system, core/kernel and core/runtime: names, paths, versions, the facts of a load, the agent's lock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "core/kernel.h"
#include "core/pins.h"
#include "core/runtime.h"
#include "core/system.h"
#include "core/util.h"

#define PATIENCE_MS 20000

static void assert_escaped(const char *path, const char *want)
{
	char got[NAME_MAX + 1];

	assert_int_equal(name_escape(path, got, sizeof(got)), 0);
	assert_string_equal(got, want);
}

static void names_are_escaped_as_systemd_does_and_dots_too(void **state)
{
	(void)state;
	assert_escaped("/sys/fs/bpf/mpbpf", "sys-fs-bpf-mpbpf");
	assert_escaped("//sys/fs/", "sys-fs");
	assert_escaped("/a-b", "a\\x2db");
	assert_escaped("eth0.100", "eth0\\x2e100");
	assert_escaped("a b\\", "a\\x20b\\x5c");
	assert_escaped("\xc3\xbc", "\\xc3\\xbc");
}

static void escaping_keeps_to_its_room(void **state)
{
	char got[8];

	(void)state;
	assert_int_equal(name_escape("/", got, sizeof(got)), -EINVAL);
	assert_int_equal(name_escape("", got, sizeof(got)), -EINVAL);
	assert_int_equal(name_escape("abcdefgh", got, sizeof(got)), -ENAMETOOLONG);
	assert_int_equal(name_escape("....", got, sizeof(got)), -ENAMETOOLONG);
	assert_int_equal(name_unescape("abcdefgh", got, sizeof(got)), -ENAMETOOLONG);
	assert_int_equal(name_unescape("\\x00", got, sizeof(got)), -EINVAL);
	assert_int_equal(name_unescape("\\y41", got, sizeof(got)), -EINVAL);
}

static void every_byte_comes_back_from_its_escape(void **state)
{
	char name[16], escaped[NAME_MAX + 1], back[NAME_MAX + 1];

	(void)state;
	for (int c = 1; c < 256; c++) {
		snprintf(name, sizeof(name), "x%cy", c);
		assert_int_equal(name_escape(name, escaped, sizeof(escaped)), 0);
		assert_null(strpbrk(escaped, "./"));
		assert_int_equal(name_unescape(escaped, back, sizeof(back)), 0);
		assert_string_equal(back, name);
	}
}

static void the_pin_of_an_interface_gives_its_name_back(void **state)
{
	char path[PIN_PATH_MAX], name[NAME_MAX + 1];

	(void)state;
	assert_int_equal(pins_xdp_path(path, "/b/r", "eth0.5"), 0);
	assert_string_equal(path, "/b/r/links/xdp_eth0\\x2e5");
	assert_int_equal(pins_xdp_name(strrchr(path, '/') + 1, name, sizeof(name)), 0);
	assert_string_equal(name, "eth0.5");
	assert_int_equal(pins_xdp_name("sockops_track", name, sizeof(name)), -ENOENT);
}

static void a_path_is_resolved_but_for_its_last_component(void **state)
{
	char dir[] = "/tmp/mpbpf-test-XXXXXX", link[64], path[128], want[128], got[PATH_MAX];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink(dir, link), 0);
	snprintf(path, sizeof(path), "%s/./link//new/", dir);
	snprintf(want, sizeof(want), "%s/new", dir);
	assert_int_equal(path_resolve(path, got, sizeof(got)), 0);
	assert_string_equal(got, want);
	snprintf(path, sizeof(path), "%s/none/new", dir);
	assert_int_equal(path_resolve(path, got, sizeof(got)), -ENOENT);
	assert_int_equal(path_resolve("/", got, sizeof(got)), -EINVAL);
	assert_int_equal(path_resolve("", got, sizeof(got)), -EINVAL);
	assert_int_equal(path_resolve("/tmp/..", got, sizeof(got)), -EINVAL);
	assert_int_equal(path_resolve("/name", got, sizeof(got)), 0);
	assert_string_equal(got, "/name");
	assert_int_equal(path_resolve("/name", got, 5), -ENAMETOOLONG);
	unlink(link);
	rmdir(dir);
}

static const char *fault_of(const char *release, const char *version, const char *signature)
{
	struct kernel_version v;

	assert_int_equal(kernel_version_parse(release, version, signature, &v), 0);
	return kernel_sockmap_fault(&v);
}

static void kernels_that_corrupt_are_told_by_their_upstream_version(void **state)
{
	struct kernel_version v;

	(void)state;
	assert_non_null(fault_of("5.15.200", "", NULL));
	assert_non_null(fault_of("6.1.141", "", NULL));
	assert_null(fault_of("6.1.142", "", NULL));
	assert_non_null(fault_of("6.6.93", "", NULL));
	assert_null(fault_of("6.6.94", "", NULL));
	assert_non_null(fault_of("6.11.99", "", NULL));
	assert_non_null(fault_of("6.12.33", "", NULL));
	assert_null(fault_of("6.12.34", "", NULL));
	assert_non_null(fault_of("6.14.11", "", NULL));
	assert_null(fault_of("6.15.0-rc1", "", NULL));
	assert_null(fault_of("6.18.44-x", "", NULL));
	assert_null(fault_of("7.0.0", "", NULL));
	assert_null(fault_of("6.1.0-41-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1 (2025-11-09)", NULL));
	assert_non_null(fault_of("6.1.0-34-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.135-1 (2025-04-25)", NULL));
	assert_non_null(fault_of("6.1.0-41-amd64", "#1 SMP", NULL));
	assert_non_null(fault_of("6.8.0-45-generic", "#45-Ubuntu SMP", "Ubuntu 6.8.0-45.45-generic 6.8.12\n"));
	assert_null(fault_of("6.17.0-5-generic", "#5-Ubuntu SMP", "Ubuntu 6.17.0-5.5-generic 6.17.1\n"));
	assert_int_equal(kernel_version_parse("unknown", "", NULL, &v), -EINVAL);
}

static void facts_are_read_as_they_were_written(void **state)
{
	struct runtime runtime = RUNTIME_EMPTY;
	struct runtime_facts facts = { .unguarded = 3, .cgroup = "/sys/fs/\"cgroup\"", .n_ifaces = 2 }, got = {};
	int fd;

	(void)state;
	strcpy(runtime.path, "/tmp/mpbpf-test-XXXXXX");
	assert_non_null(mkdtemp(runtime.path));
	runtime.fd = open(runtime.path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(runtime_facts_read(&runtime, &got), -ENOENT);
	strcpy(facts.ifaces[0].name, "eth0");
	facts.ifaces[0].native = true;
	strcpy(facts.ifaces[1].name, "eth1");
	assert_int_equal(runtime_facts_write(&runtime, &facts), 0);
	assert_int_equal(runtime_facts_read(&runtime, &got), 0);
	assert_memory_equal(&got, &facts, sizeof(facts));
	fd = openat(runtime.fd, "facts.json", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "{\"unguarded\": 1}", 16), 16);
	close(fd);
	assert_int_equal(runtime_facts_read(&runtime, &got), -EBADMSG);
	assert_memory_equal(&got, &facts, sizeof(facts));
	assert_int_equal(runtime_remove(&runtime), 0);
	runtime_close(&runtime);
}

typedef int lock_function(const struct runtime *runtime, int *ret_fd);

/* A child that takes a lock and holds it until it is killed. */
struct holder {
	pid_t pid;
	int ready;
};

static struct holder holder_start(const struct runtime *runtime, lock_function *lock)
{
	struct holder holder;
	int ready[2], fd;
	char byte;

	assert_int_equal(pipe(ready), 0);
	holder = (struct holder){ .pid = fork(), .ready = ready[0] };
	if (!holder.pid) {
		byte = lock(runtime, &fd) == 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	return holder;
}

/* Whether it has the lock within so long. */
static bool holder_has(const struct holder *holder, int ms)
{
	struct pollfd p = { .fd = holder->ready, .events = POLLIN };
	char byte = 0;

	if (poll(&p, 1, ms) == 0)
		return false;
	assert_int_equal(read(holder->ready, &byte, 1), 1);
	assert_int_equal(byte, 1);
	return true;
}

static void holder_end(const struct holder *holder)
{
	kill(holder->pid, SIGKILL);
	assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
	close(holder->ready);
}

static void runtime_make(struct runtime *runtime)
{
	*runtime = (struct runtime)RUNTIME_EMPTY;
	strcpy(runtime->path, "/tmp/mpbpf-test-XXXXXX");
	assert_non_null(mkdtemp(runtime->path));
	runtime->fd = open(runtime->path, O_RDONLY | O_DIRECTORY);
}

static void the_agents_lock_names_its_holder_and_ends_with_it(void **state)
{
	struct runtime runtime;
	struct holder agent;
	int fd = -1;

	(void)state;
	runtime_make(&runtime);
	assert_int_equal(runtime_agent_pid(&runtime), 0);
	agent = holder_start(&runtime, runtime_agent_lock);
	assert_true(holder_has(&agent, PATIENCE_MS));
	assert_int_equal(runtime_agent_pid(&runtime), agent.pid);
	assert_int_equal(runtime_agent_lock(&runtime, &fd), -EBUSY);
	assert_int_equal(runtime_stand_in(&runtime, &fd), -EBUSY);
	holder_end(&agent);
	assert_int_equal(runtime_agent_pid(&runtime), 0);
	assert_int_equal(runtime_agent_lock(&runtime, &fd), 0);
	close(fd);
	assert_int_equal(runtime_remove(&runtime), 0);
	runtime_close(&runtime);
}

static void processors_are_those_that_the_thread_may_run_on(void **state)
{
	cpu_set_t all, one;
	size_t n;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	n = system_processors();
	assert_int_equal(n, CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(system_processors(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void an_agent_waits_for_who_stands_in(void **state)
{
	struct holder first, second, agent;
	struct runtime runtime;
	int fd = -1;

	(void)state;
	runtime_make(&runtime);
	first = holder_start(&runtime, runtime_stand_in);
	assert_true(holder_has(&first, PATIENCE_MS));
	assert_int_equal(runtime_agent_pid(&runtime), 0);
	second = holder_start(&runtime, runtime_stand_in);
	assert_false(holder_has(&second, 100));
	holder_end(&first);
	assert_true(holder_has(&second, PATIENCE_MS));
	agent = holder_start(&runtime, runtime_agent_lock);
	assert_false(holder_has(&agent, 100));
	/* It is there for who asks, and nobody else becomes one or stands in. */
	assert_int_equal(runtime_agent_pid(&runtime), agent.pid);
	assert_int_equal(runtime_agent_lock(&runtime, &fd), -EBUSY);
	assert_int_equal(runtime_stand_in(&runtime, &fd), -EBUSY);
	holder_end(&second);
	assert_true(holder_has(&agent, PATIENCE_MS));
	holder_end(&agent);
	assert_int_equal(runtime_stand_in(&runtime, &fd), 0);
	close(fd);
	assert_int_equal(runtime_remove(&runtime), 0);
	runtime_close(&runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_escaped_as_systemd_does_and_dots_too),
		cmocka_unit_test(escaping_keeps_to_its_room),
		cmocka_unit_test(every_byte_comes_back_from_its_escape),
		cmocka_unit_test(the_pin_of_an_interface_gives_its_name_back),
		cmocka_unit_test(a_path_is_resolved_but_for_its_last_component),
		cmocka_unit_test(processors_are_those_that_the_thread_may_run_on),
		cmocka_unit_test(kernels_that_corrupt_are_told_by_their_upstream_version),
		cmocka_unit_test(facts_are_read_as_they_were_written),
		cmocka_unit_test(the_agents_lock_names_its_holder_and_ends_with_it),
		cmocka_unit_test(an_agent_waits_for_who_stands_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
