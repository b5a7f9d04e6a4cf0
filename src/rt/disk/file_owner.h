// file_owner: who owns what the command line writes.
#pragma once

#include "base/err.h"

// As root: gives a file to the owner and group of the directory that it lies in. Nothing otherwise.
MUST_CHECK bool file_owner_as_directory(const char *path, struct err *e);

// Removes a file; one that isn't there is fine.
MUST_CHECK bool file_owner_remove(const char *path, struct err *e);

// Fails where PATH is a symbolic link: whoever owns its directory could lead root elsewhere by one.
MUST_CHECK bool file_owner_no_link(const char *path, struct err *e);
