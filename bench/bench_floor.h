/* A gateway that does nothing: it passes bytes on. What it adds, every gateway on the machine adds.
 */
#ifndef GS_BENCH_FLOOR_H
#define GS_BENCH_FLOOR_H

/* Serve on 127.0.0.1, in front of what listens on `to_port` there, until standard input ends;
 * prints the port in a line. Returns the exit status. */
int gs_bench_floor(int to_port);

#endif
