/*
 * A client on whichever libcurl it is linked with: COUNT posts of BYTES bytes to a URL, over one
 * connection; every third byte of the body tells its place. The interface is declared here because
 * only the libraries for OpenSSL have a package of headers installed beside the others.
 * https://curl.se/libcurl/c/
 */
#include <stdio.h>
#include <stdlib.h>

typedef void CURL;
CURL *curl_easy_init(void);
int curl_easy_setopt(CURL *, int option, ...);
int curl_easy_perform(CURL *);
void curl_easy_cleanup(CURL *);
const char *curl_easy_strerror(int);
const char *curl_version(void);

enum {
    POST = 47,
    POST_BYTES = 60,
    HTTP_VERSION = 84,
    URL = 10002,
    POST_DATA = 10015,
    CA_FILE = 10065,
    WRITE_FUNCTION = 20011,
};

static size_t ignore(char *data, size_t size, size_t count, void *context) {
    (void)data;
    (void)context;
    return size * count;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: curl-client URL CA-FILE COUNT BYTES\n");
        return 2;
    }
    long count = atol(argv[3]);
    long bytes = atol(argv[4]);
    char *body = malloc((size_t)bytes + 1);
    for (long i = 0; i < bytes; i++)
        body[i] = (char)('a' + i / 3 % 26);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, URL, argv[1]);
    curl_easy_setopt(curl, CA_FILE, argv[2]);
    curl_easy_setopt(curl, HTTP_VERSION, 2L);
    curl_easy_setopt(curl, POST, 1L);
    curl_easy_setopt(curl, POST_DATA, body);
    curl_easy_setopt(curl, POST_BYTES, bytes);
    curl_easy_setopt(curl, WRITE_FUNCTION, ignore);
    int error = 0;
    for (long i = 0; i < count && !error; i++)
        error = curl_easy_perform(curl);
    if (error)
        fprintf(stderr, "%s: %s\n", curl_version(), curl_easy_strerror(error));
    curl_easy_cleanup(curl);
    free(body);
    return error;
}
