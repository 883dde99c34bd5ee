/*
 * 2,800 digits of pi by the spigot of Rabinowitz and Wagon, a hundred times, with a sleep after each: work for `orla cputime`.
 *
 *     cc -O2 -o pi examples/cputime/pi.c && orla cputime -- ./pi [ROUNDS] [SLEEP_MS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DIGITS = 2800, BASE = 10000, CELLS = DIGITS / 4 * 14 };

static void pi(char *digits)
{
	static int cells[CELLS + 1];
	long carry = 0;

	for (int i = 0; i <= CELLS; i++)
		cells[i] = BASE / 5;
	for (int left = CELLS; left > 0; left -= 14) {
		long sum = 0;
		for (int i = left;;) {
			sum += (long)cells[i] * BASE;
			cells[i] = (int)(sum % (2 * i - 1));
			sum /= 2 * i - 1;
			if (--i == 0)
				break;
			sum *= i;
		}
		digits += sprintf(digits, "%04ld", carry + sum / BASE);
		carry = sum % BASE;
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	long sleep_ms = argc > 2 ? atol(argv[2]) : 20;
	struct timespec pause = { sleep_ms / 1000, sleep_ms % 1000 * 1000000 };
	static char digits[DIGITS + 16];

	for (int round = 0; round < rounds; round++) {
		pi(digits);
		nanosleep(&pause, NULL);
	}
	puts(digits);
	return 0;
}
