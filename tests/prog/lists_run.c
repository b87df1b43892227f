/* SPDX-License-Identifier: MIT */
/* Tests: a pin root that is as core/lists wants it, on a bpffs that goes with this process. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/pins.h"
#include "lists_run.h"
#include "tap.h"

void lists_run_open(struct lists_run *run)
{
	char path[PIN_PATH_MAX];

	*run = (struct lists_run){ .maps = MAPS_EMPTY, .pin_root = "/tmp/mpbpf-lists-XXXXXX" };
	if (!mkdtemp(run->pin_root) || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", run->pin_root, "bpf", 0, NULL))
		tap_bail("%s: cannot mount a bpffs: %s", run->pin_root, strerror(errno));
	for (size_t i = 0; i < 2; i++)
		if (pins_path(path, run->pin_root, i ? "links" : "maps", NULL) || mkdir(path, 0700))
			tap_bail("%s: %s", path, strerror(errno));
	xdp_run_open(&run->xdp, 1024);
	if (maps_of_object(run->xdp.object, &run->maps))
		tap_bail("the object lacks maps");
	xdp_set_policy(&run->xdp, (struct policy){ .drop_invalid = 1 });
}

void lists_run_close(struct lists_run *run)
{
	maps_close(&run->maps);
	xdp_run_close(&run->xdp);
	umount2(run->pin_root, MNT_DETACH);
	rmdir(run->pin_root);
}
