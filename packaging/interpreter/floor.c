/* Lowers the glibc an executable asks for from 2.30 to 2.28, when it is linked against bullseye's 2.31.

   A reference binds to the newest version of a symbol the linker sees. Three groups are newer than 2.28:

   exp exp2 log log2 pow   got new versions in 2.29, which differ in how errors are signalled only. Each is
                           bound to its first version. This needs -Wl,--wrap=NAME as well: a function NAME
                           of our own would be what NAME means here too, and call itself for ever.
   sem_clockwait           came with 2.30. Taken from the running glibc if it has it; else a wait against
                           the other clock, which a jump of the wall clock can lengthen or shorten. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <time.h>

#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#else
#error "no first version of glibc is known for this machine"
#endif

#define FIRST(name) __asm__(".symver first_" #name "," #name "@" FIRST_VERSION)

#define WRAP_1(name)                                                                                         \
    double first_##name(double);                                                                             \
    FIRST(name);                                                                                             \
    double __wrap_##name(double x);                                                                          \
    double __wrap_##name(double x) { return first_##name(x); }

#define WRAP_2(name)                                                                                         \
    double first_##name(double, double);                                                                     \
    FIRST(name);                                                                                             \
    double __wrap_##name(double x, double y);                                                                \
    double __wrap_##name(double x, double y) { return first_##name(x, y); }

WRAP_1(exp)
WRAP_1(exp2)
WRAP_1(log)
WRAP_1(log2)
WRAP_2(pow)

typedef int (*clockwait)(sem_t *, clockid_t, const struct timespec *);

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline)
{
    /* Two threads may both look: they find the same. */
    static clockwait found;
    static int looked;
    if (!__atomic_load_n(&looked, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&found, (clockwait)dlsym(RTLD_NEXT, "sem_clockwait"), __ATOMIC_RELAXED);
        __atomic_store_n(&looked, 1, __ATOMIC_RELEASE);
    }
    clockwait real = __atomic_load_n(&found, __ATOMIC_RELAXED);
    if (real)
        return real(semaphore, clock, deadline);

    struct timespec now, wall;
    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &wall);
    wall.tv_sec += deadline->tv_sec - now.tv_sec;
    wall.tv_nsec += deadline->tv_nsec - now.tv_nsec;
    if (wall.tv_nsec < 0) {
        wall.tv_nsec += 1000000000;
        wall.tv_sec -= 1;
    } else if (wall.tv_nsec >= 1000000000) {
        wall.tv_nsec -= 1000000000;
        wall.tv_sec += 1;
    }
    return sem_timedwait(semaphore, &wall);
}
