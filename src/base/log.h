/* The line of a log message, apart from where it goes. */
#ifndef FA_BASE_LOG_H
#define FA_BASE_LOG_H

#include <fasterapi/log.h>

/* PIPE_BUF on Linux: a pipe shared with other processes takes such a line whole. */
enum { FA__LOG_LINE_MAX = 4096 };

/* Writes the line of level, time, source and message, ended by a newline, and returns
   its length with it. Text that does not fit is cut between characters. */
size_t fa__log_line(char out[FA__LOG_LINE_MAX], const fa_log_record *record, bool json);

#endif
