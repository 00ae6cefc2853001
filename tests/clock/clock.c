/*
 * Stands before the C library of a process and moves its wall clock: CLOCK_AHEAD_S seconds ahead (or behind, if negative) of
 * the machine's. Every other clock is the machine's own, so that nothing takes longer or shorter.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at)
{
	const char *ahead;

	if (syscall(SYS_clock_gettime, clock, at) != 0)
		return -1;
	if (clock == CLOCK_REALTIME) {
		ahead = getenv("CLOCK_AHEAD_S");
		at->tv_sec += ahead ? strtol(ahead, NULL, 10) : 0;
	}
	return 0;
}
