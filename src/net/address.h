/* Socket addresses, kept in binary: text is made only when somebody asks. */
#ifndef FA_NET_ADDRESS_H
#define FA_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include <fasterapi/slice.h>

/* All zero is an address without text, as those of unix sockets are. */
typedef union fa__address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} fa__address;

/* Longest text: an IPv6 address, '%' and the name of an interface. */
enum { FA__ADDRESS_TEXT_MAX = 64 };

/* "127.0.0.1", "::1", "fe80::1%eth0"; empty for a unix socket. The slice is of `out`. */
fa_slice fa__address_text(char out[FA__ADDRESS_TEXT_MAX], const fa__address *address);

/* 0 for a unix socket. */
uint16_t fa__address_port(const fa__address *address);

/* The two ends of a socket. Returns 0, FA_ERR_CLOSED when the peer is gone already,
   or FA_ERR_SYSTEM. */
int fa__address_peer(fa__address *out, int fd);
int fa__address_local(fa__address *out, int fd);

#endif
