#include "check.h"

#include <stdio.h>

#include <fasterapi/error.h>
#include <fasterapi/http.h>

/* Every code in the public header has a sentence of its own: read the header, so that
   a code added there cannot be forgotten in fa_strerror(). */
static void test_every_code_has_its_sentence(void **state)
{
    const char *seen[128];
    size_t count = 0;
    char line[256];
    FILE *header = fopen(FA_SOURCE_ROOT "/include/fasterapi/error.h", "r");

    (void)state;
    CHECK(header != NULL);
    while (fgets(line, sizeof(line), header) != NULL) {
        const char *text;
        int code;

        if (sscanf(line, " FA_ERR_%*[A-Z0-9_] = %d", &code) != 1)
            continue;
        text = fa_strerror(code);
        if (strcmp(text, fa_strerror(-9999)) == 0)
            fail_msg("no sentence for: %s", line);
        for (size_t i = 0; i < count; ++i)
            CHECK(strcmp(text, seen[i]) != 0);
        CHECK(count < ARRAY_LEN(seen));
        seen[count++] = text;
    }
    fclose(header);
    CHECK_U64(count, >, 40);
    CHECK(strcmp(fa_strerror(0), "no error") == 0);
    CHECK(fa_strerror(7) != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_its_sentence),
    };

    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
