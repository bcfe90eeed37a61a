/* What GET /stats tells: {"totalRequests", "uniqueUsers", "sum", "avg"}. */
#ifndef FA_CHALLENGE_STATS_H
#define FA_CHALLENGE_STATS_H

#include "fetch.h"

typedef enum fa__ch_stat {
    FA__CH_TOTAL_REQUESTS,
    FA__CH_UNIQUE_USERS,
    FA__CH_SUM,
    FA__CH_AVG,
    FA__CH_STATS,
} fa__ch_stat;

/* The members' names, by fa__ch_stat. */
extern const char *const fa__ch_stat_names[FA__CH_STATS];

typedef struct fa__ch_stats {
    struct {
        char text[40]; /* the number as the server wrote it; "missing" or the like */
        bool is_number;
        bool is_whole; /* 0, 1, 2 ... below 2^63, however it is written */
        uint64_t whole;
        double number;
    } of[FA__CH_STATS];
} fa__ch_stats;

/* Reads one JSON object; members of other names are skipped. Returns 0, or what is
   wrong with the JSON (FA_ERR_JSON_*). A member that is missing, or no number, is
   no error here. */
int fa__ch_stats_parse(fa__ch_stats *out, fa_slice json);

/* True when `text`, a JSON number such as 4.995E8, is a whole number below 2^63;
   then `*out` is it, exactly. */
bool fa__ch_whole_number(uint64_t *out, fa_slice text);

/* Fetches and reads. Returns 0, or an error with a sentence in `why`. */
int fa__ch_stats_get(fa__ch_stats *out, char why[160], const fa__ch_endpoint *e,
                     const fa__ch_options *o);

#endif
