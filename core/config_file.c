/* SPDX-License-Identifier: MIT */
/* Floor 3: whole files in memory that is wiped again, and their digest. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config_internal.h"

void blob_wipe(struct blob *blob)
{
	if (blob->data)
		explicit_bzero(blob->data, blob->len);
	free(blob->data);
	*blob = (struct blob){};
}

/* Only what can be read again by the same name is a file here: a pipe would block, and a reload could not repeat it. */
static int regular_open(const char *path, struct stat *ret_st)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (S_ISDIR(ret_st->st_mode))
		return -EISDIR;
	if (!S_ISREG(ret_st->st_mode))
		return -ENOTSUP;
	return TAKE_FD(fd);
}

/* Until the end or `size` bytes. Returns how many, or -errno. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, data + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += got;
	}
	return n;
}

int file_read(const char *path, size_t max, struct blob *ret, mode_t *ret_mode)
{
	_cleanup_blob_ struct blob blob = {};
	struct stat st;
	_cleanup_close_ int fd = regular_open(path, &st);
	ssize_t n;

	if (fd < 0)
		return fd;
	/* One byte more than allowed tells a file that is too large, one ends the text. */
	blob.data = calloc(1, max + 2);
	if (!blob.data)
		return -ENOMEM;
	blob.len = max + 1;
	n = read_all(fd, blob.data, max + 1);
	if (n < 0)
		return n;
	if ((size_t)n > max)
		return -EFBIG;
	*ret = (struct blob){ .data = TAKE_PTR(blob.data), .len = n };
	if (ret_mode)
		*ret_mode = st.st_mode;
	return 0;
}

void digest_free(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

int digest_begin(EVP_MD_CTX **ret)
{
	_cleanup_(digest_free) EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL))
		return -ENOMEM;
	*ret = TAKE_PTR(digest);
	return 0;
}

int digest_add_tree(EVP_MD_CTX *digest, const cJSON *item)
{
	const char *name = item->string ?: "", *text = item->valuestring ?: "";
	const cJSON *child;

	if (digest_add(digest, name, strlen(name)) < 0 || digest_add(digest, &item->type, sizeof(item->type)) < 0 ||
	    digest_add(digest, text, strlen(text)) < 0 ||
	    digest_add(digest, &item->valuedouble, sizeof(item->valuedouble)) < 0)
		return -ENOMEM;
	cJSON_ArrayForEach(child, item)
		if (digest_add_tree(digest, child) < 0)
			return -ENOMEM;
	return digest_add(digest, "", 0);
}

int digest_add(EVP_MD_CTX *digest, const void *data, size_t len)
{
	uint64_t prefix = htobe64(len);

	if (!EVP_DigestUpdate(digest, &prefix, sizeof(prefix)) || !EVP_DigestUpdate(digest, data, len))
		return -ENOMEM;
	return 0;
}
