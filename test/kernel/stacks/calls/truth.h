/*
 * What a test program knows of its connections: the plaintext of each, by direction, as files
 * FOLDER/NAME.written and FOLDER/NAME.read.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

static const char *truth_folder;

static void truth_add(const char *name, const char *direction, const void *bytes, size_t count) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.%s", truth_folder, name, direction);
    FILE *file = fopen(path, "ab");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void truth_written(const char *name, const void *bytes, size_t count) {
    truth_add(name, "written", bytes, count);
}

static void truth_read(const char *name, const void *bytes, size_t count) {
    truth_add(name, "read", bytes, count);
}

/* Bytes that no other place of a test has. */
static void fill(unsigned char *to, size_t count) {
    static unsigned long long state = 88172645463325252ULL;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[i] = (unsigned char)(state >> 32);
    }
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
