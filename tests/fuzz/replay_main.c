// replay_main: runs a fuzz target without a fuzzer over the files of its corpus, the empty input and each file's
// prefixes too; prints TAP. Arguments are files and folders.
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { PREFIXES = 64, INPUT_MAX = 1 << 20 };

static unsigned count;

// The target gets memory of its own that ends where the input does, so that a sanitizer sees one byte too many.
static void run_once(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const char *path) {
    static uint8_t bytes[INPUT_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("not ok %u - %s can't be read\n", ++count, path);
        return;
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    run_once(bytes, n);
    for (size_t cut = 0; cut < n; cut += n / PREFIXES + 1)
        run_once(bytes, cut);
    printf("ok %u - %s\n", ++count, path);
}

static void run_path(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        struct dirent **names;
        int n = scandir(path, &names, NULL, alphasort);
        for (int i = 0; i < n; i++) {
            char inner[PATH_MAX];
            if (names[i]->d_name[0] != '.' &&
                snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name) < (int)sizeof inner)
                run_path(inner);
            free(names[i]);
        }
        if (n >= 0)
            free(names);
    } else {
        run_file(path);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    run_once(NULL, 0);
    printf("ok %u - empty input\n", ++count);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("1..%u\n", count);
    return 0;
}
