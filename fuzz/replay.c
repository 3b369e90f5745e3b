/* Runs files, and the files of folders, through a fuzz target once each: the corpus as a regression test for compilers
 * without libFuzzer. The file under way is named first, so a crash says which input it was. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    struct stat st;
    uint8_t *data = NULL;
    int failed = 1;
    if (fstat(fileno(file), &st) != 0 || st.st_size < 0) goto done;
    /* Exactly as large as the file, so that a sanitizer sees every read past its end. */
    size_t size = (size_t)st.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) goto done;
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    failed = 0;
done:
    if (failed) perror(path);
    free(data);
    fclose(file);
    return failed;
}

static int replay_folder(const char *path, int *count)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        int length = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof file) {
            failed |= replay_file(file);
            (*count)++;
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    int count = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            failed |= replay_folder(argv[i], &count);
        } else {
            failed |= replay_file(argv[i]);
            count++;
        }
    }
    printf("%d inputs replayed\n", count);
    if (count == 0) fprintf(stderr, "no inputs: a corpus that is empty tests nothing\n");
    return failed || count == 0;
}
