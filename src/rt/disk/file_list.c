// file_list: readdir.
#include "rt/disk/file_list.h"

#include <dirent.h>
#include <errno.h>

bool file_list(const char *path, void (*each)(void *arg, struct slice name), void *arg, struct err *e) {
    DIR *dir = opendir(path);
    if (!dir)
        return err_sys(e, errno, "%s", path);
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            each(arg, slice_str(entry->d_name));
    closedir(dir);
    return true;
}
