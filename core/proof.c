// SPDX-License-Identifier: MIT
/* Floor 3: proofs about the running kernel, one file for all of them, since there is one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/proof.h"
#include "core/runtime.h"
#include "core/util.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PROOF_PATH RUNTIME_BASE "/proven"
#define PROOF_NEW "+new"
#define PROOF_MAX 1024

/* The claim, and the kernel it holds for. 0 or -errno. */
static int proof_text(const char *claim, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(BOOT_ID, "re");
	struct utsname kernel;
	char boot[64];
	int n;

	if (!f || !fgets(boot, sizeof(boot), f) || uname(&kernel) < 0)
		return -EIO;
	boot[strcspn(boot, "\n")] = '\0';
	n = snprintf(ret, size, "%s\n%s\n%s %s\n", claim, boot, kernel.release, kernel.version);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool proof_known(const char *claim)
{
	_cleanup_fclose_ FILE *f = fopen(PROOF_PATH, "re");
	char want[PROOF_MAX], got[PROOF_MAX];
	size_t n;

	if (!f || proof_text(claim, want, sizeof(want)) < 0)
		return false;
	n = fread(got, 1, sizeof(got), f);
	return n == strlen(want) && !memcmp(got, want, n);
}

int proof_keep(const char *claim)
{
	_cleanup_close_ int fd = -1;
	char text[PROOF_MAX];
	int r;

	r = proof_text(claim, text, sizeof(text));
	if (r < 0)
		return r;
	/* Two writers at a time write the same; half of it proves nothing. */
	fd = open(PROOF_PATH PROOF_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -errno;
	return rename(PROOF_PATH PROOF_NEW, PROOF_PATH) < 0 ? -errno : 0;
}

void proof_forget(void)
{
	unlink(PROOF_PATH PROOF_NEW);
	unlink(PROOF_PATH);
}
