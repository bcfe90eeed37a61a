/* Every scanner that this processor can run, against the rules byte by byte. */
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "http/field.h"
#include "http1/scan.h"

/* Inputs end where readable memory ends: a read past them is a crash. */
typedef struct page_end {
    char *map;
    char *end; /* of what may be read */
    size_t page;
} page_end;

static int map_page(void **state)
{
    static page_end pe;

    pe.page = (size_t)sysconf(_SC_PAGESIZE);
    pe.map = mmap(NULL, 2 * pe.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                  -1, 0);
    if (pe.map == MAP_FAILED || mprotect(pe.map + pe.page, pe.page, PROT_NONE) != 0)
        return -1;
    pe.end = pe.map + pe.page;
    *state = &pe;
    return 0;
}

static int unmap_page(void **state)
{
    page_end *pe = *state;

    return munmap(pe->map, 2 * pe->page);
}

/* The rules once more, and not from the parser's table. */
static bool allowed_token(unsigned char c)
{
    char byte = (char)c;

    return fa__token_valid((fa_slice){&byte, 1});
}

static bool allowed_query(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

static bool allowed_path(unsigned char c)
{
    return allowed_query(c) && c != '?';
}

static bool allowed_value(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool allowed_reg_name(unsigned char c)
{
    bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

    return c != 0 && (alnum || strchr("-._~!$&'()*+,;=", c) != NULL);
}

static bool allowed_port(unsigned char c)
{
    return c >= '0' && c <= '9';
}

typedef bool rule(unsigned char c);

static size_t expected(rule *allowed, const char *p, size_t len)
{
    size_t i = 0;

    while (i < len && allowed((unsigned char)p[i]))
        ++i;
    return i;
}

static void check_authority(const fa__http1_scan *scan, const char *p, size_t len)
{
    size_t host = expected(allowed_reg_name, p, len), host_len = len + 1;
    bool good = host == len ||
                (p[host] == ':' &&
                 host + 1 + expected(allowed_port, p + host + 1, len - host - 1) == len);

    CHECK_INT(scan->authority(p, len, &host_len), ==, good);
    CHECK_U64(host_len, ==, good ? host : len + 1);
}

static void check_all(const fa__http1_scan *scan, const char *p, size_t len)
{
    size_t name = expected(allowed_token, p, len), after = name < len ? name + 1 : len;
    size_t name_len = len + 1, method_len = len + 1, end;

    end = scan->request(p, len, &method_len);
    CHECK_U64(method_len, ==, name);
    CHECK_U64(end, ==, after + expected(allowed_path, p + after, len - after));
    CHECK_U64(scan->query(p, len), ==, expected(allowed_query, p, len));
    end = scan->field(p, len, &name_len);
    CHECK_U64(name_len, ==, name);
    CHECK_U64(end, ==, name + expected(allowed_value, p + name, len - name));
    check_authority(scan, p, len);
}

/* Each byte value at each place of inputs of each length around the vector sizes. */
static void test_every_byte_everywhere(void **state)
{
    page_end *pe = *state;

    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        for (size_t len = 0; len <= 70; ++len) {
            char *p = pe->end - len;

            memset(p, 'a', len);
            check_all(*scan, p, len);
            for (size_t at = 0; at < len; ++at) {
                for (int c = 0; c < 256; ++c) {
                    p[at] = (char)c;
                    check_all(*scan, p, len);
                }
                p[at] = 'a';
            }
        }
}

/* A method, then a path; what lies between is not looked at. */
static void test_request_shapes(void **state)
{
    page_end *pe = *state;
    static const char ends[] = " ?#\r\n\x7f\x80";

    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        for (size_t method = 0; method < 70; ++method)
            for (size_t path = 0; path < 70; ++path)
                for (size_t c = 0; c < sizeof(ends); ++c) {
                    char *p = pe->end - method - path - 2;

                    memset(p, 'M', method);
                    p[method] = ' ';
                    memset(p + method + 1, '/', path);
                    p[method + 1 + path] = ends[c];
                    check_all(*scan, p, method + path + 2);
                }
}

/* A name, then a value with tabs and bytes from 0x80 on, then an end. */
static void test_field_shapes(void **state)
{
    page_end *pe = *state;
    static const char ends[] = {'\r', '\n', '\0', 0x7f, 0x1f};

    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        for (size_t name = 0; name < 40; ++name)
            for (size_t value = 0; value < 70; ++value)
                for (size_t e = 0; e < ARRAY_LEN(ends); ++e) {
                    size_t len = name + 1 + value + 1 + e, name_len = 0;
                    char *p = pe->end - len;

                    memset(p, 'N', name);
                    p[name] = ':';
                    for (size_t i = 0; i < value; ++i)
                        p[name + 1 + i] = "\t \x80v\xff"[i % 5];
                    memset(p + name + 1 + value, ends[e], 1 + e);
                    CHECK_U64((*scan)->field(p, len, &name_len), ==, name + 1 + value);
                    CHECK_U64(name_len, ==, name);
                }
}

/* A host, then a port; each in turn with a byte of each value somewhere. */
static void test_authority_shapes(void **state)
{
    page_end *pe = *state;

    for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan != NULL; ++scan)
        for (size_t host = 0; host < 40; ++host)
            for (size_t port = 0; port < 20; ++port) {
                size_t len = host + 1 + port;
                char *p = pe->end - len;

                memset(p, 'h', host);
                p[host] = ':';
                memset(p + host + 1, '8', port);
                check_authority(*scan, p, len);
                for (int c = 0; c < 256; ++c) {
                    size_t at = (host * 7 + port * 3 + (size_t)c) % len;
                    char before = p[at];

                    p[at] = (char)c;
                    check_authority(*scan, p, len);
                    p[at] = before;
                }
            }
}

/* Random mixtures of bytes near the borders of the classes. */
static void test_random(void **state)
{
    page_end *pe = *state;
    static const char bytes[] =
        "aZ09!#%?:;@[]`{|}~\x7f\x80\xff\t \r\n\x1f\x21\x0b/\\\"(),";
    uint64_t seed = 0x9e3779b97f4a7c15u;

    for (int round = 0; round < 20000; ++round) {
        size_t len;
        char *p;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        len = (seed >> 33) % 130;
        p = pe->end - len;
        for (size_t i = 0; i < len; ++i) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            /* Mostly letters, so that runs get long. */
            p[i] = (seed >> 60) != 0 ? 'a' : bytes[(seed >> 33) % (sizeof(bytes) - 1)];
        }
        for (const fa__http1_scan *const *scan = fa__http1_scan_all(); *scan; ++scan)
            check_all(*scan, p, len);
    }
}

static void test_choice(void **state)
{
    const fa__http1_scan *const *all = fa__http1_scan_all();
    size_t n = 0;

    (void)state;
    CHECK(fa__http1_scan_best() == all[0]);
    CHECK(fa__http1_scan_best() == all[0]); /* the remembered one */
    while (all[n] != NULL)
        ++n;
    CHECK(all[n - 1] == &fa__http1_scan_portable);
#if defined(__x86_64__)
    CHECK_U64(n, >=, 2); /* SSE2 is part of x86-64 */
#endif
}

static void test_classes(void **state)
{
    (void)state;
    for (int i = 0; i < 256; ++i) {
        unsigned char c = (unsigned char)i;

        CHECK_INT(fa__http1_is(c, FA__CLASS_TOKEN), ==, allowed_token(c));
        CHECK_INT(fa__http1_is(c, FA__CLASS_PATH), ==, allowed_path(c));
        CHECK_INT(fa__http1_is(c, FA__CLASS_QUERY), ==, allowed_query(c));
        CHECK_INT(fa__http1_is(c, FA__CLASS_VALUE), ==, allowed_value(c));
        CHECK_INT(fa__http1_is(c, FA__CLASS_REG_NAME), ==, allowed_reg_name(c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_request_shapes),
        cmocka_unit_test(test_field_shapes),
        cmocka_unit_test(test_authority_shapes),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("http1/scan", tests, map_page, unmap_page);
}
