#include "memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* FRAME is more than the frame of rest() needs, with the red zone below it. */
enum { PAGE = 4096, STACK = 512 << 10, FRAME = 512, MOST_PARTS = 8 };

/* Parts of the program that hold nothing but what is in its file. */
struct parts {
    struct {
        uintptr_t start;
        uintptr_t length;
    } part[MOST_PARTS];
    int count;
};

/* The kernel and the program's own headers tell addresses as numbers. */
static void *address(uintptr_t number)
{
    return (void *)number; // NOLINT(performance-no-int-to-ptr)
}

/* A system call without libc, whose pages are given back while it is made. */
static inline __attribute__((always_inline)) long call(long number, uintptr_t a, uintptr_t b,
                                                       uintptr_t c, uintptr_t d, uintptr_t e)
{
#if defined(__x86_64__)
    register uintptr_t fourth __asm__("r10") = d;
    register uintptr_t fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register uintptr_t x0 __asm__("x0") = a;
    register uintptr_t x1 __asm__("x1") = b;
    register uintptr_t x2 __asm__("x2") = c;
    register uintptr_t x3 __asm__("x3") = d;
    register uintptr_t x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return (long)x0;
#endif
}

/*
 * The only code that runs meanwhile, alone on a page of its own: a page of the program that is used
 * comes with its neighbours, up to sixteen of them, but only those with the same protection.
 */
__attribute__((section(".text.rest"), aligned(PAGE), noinline)) static long
rest(const struct parts *parts, struct pollfd *files, nfds_t count)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0) - FRAME;
    uintptr_t stack = frame & ~(uintptr_t)(PAGE - 1);

    for (int i = 0; i < parts->count; i++)
        call(SYS_madvise, parts->part[i].start, parts->part[i].length, MADV_DONTNEED, 0, 0);
    /*
     * Below this frame's end the stack holds what calls before have left there. The kernel keeps
     * other mappings further away than that.
     */
    call(SYS_madvise, stack - STACK, STACK, MADV_DONTNEED, 0, 0);
    return call(SYS_ppoll, (uintptr_t)files, count, 0, 0, 0);
}

/*
 * Of a segment that is written to only the pages that have not been yet: what they hold is in the
 * file still. Bit 61 of a page's word tells it. Documentation/admin-guide/mm/pagemap.rst
 */
static void give_back_unwritten(uintptr_t start, uintptr_t end)
{
    const uint64_t from_file = UINT64_C(1) << 61;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    for (uintptr_t page = start & ~(uintptr_t)(PAGE - 1); page < end; page += PAGE) {
        uint64_t word = 0;
        off_t at = (off_t)(page / PAGE * sizeof(word));
        if (pread(pagemap, &word, sizeof(word), at) == sizeof(word) && (word & from_file))
            madvise(address(page), PAGE, MADV_DONTNEED);
    }
    if (pagemap != -1)
        close(pagemap);
}

/* The segments of the program that are never written to, after giving back of the others. elf(5) */
static struct parts find_parts(void)
{
    const ElfW(Phdr) *segments = address(getauxval(AT_PHDR));
    unsigned long count = getauxval(AT_PHNUM);
    uintptr_t moved = 0; /* a position-independent program lies elsewhere than its file says */
    struct parts parts = {.count = 0};

    for (unsigned long i = 0; i < count; i++)
        if (segments[i].p_type == PT_PHDR)
            moved = (uintptr_t)segments - segments[i].p_vaddr;
    for (unsigned long i = 0; i < count && parts.count < MOST_PARTS; i++) {
        uintptr_t start = moved + segments[i].p_vaddr;
        if (segments[i].p_type != PT_LOAD)
            continue;
        if (segments[i].p_flags & PF_W) {
            give_back_unwritten(start, start + segments[i].p_filesz);
            continue;
        }
        parts.part[parts.count].start = start & ~(uintptr_t)(PAGE - 1);
        parts.part[parts.count++].length = segments[i].p_memsz + start % PAGE;
    }
    return parts;
}

int memory_poll(struct pollfd *files, nfds_t count)
{
    struct parts parts = find_parts();
    uintptr_t page = (uintptr_t)rest & ~(uintptr_t)(PAGE - 1);

#ifdef __GLIBC__
    malloc_trim(0);
#endif
    /* A protection unlike its neighbours': it only needs to be executed. */
    if (mprotect(address(page), PAGE, PROT_EXEC) == -1)
        return poll(files, count, -1);
    long ready = rest(&parts, files, count);
    if (ready < 0) {
        errno = (int)-ready;
        return -1;
    }
    return (int)ready;
}
