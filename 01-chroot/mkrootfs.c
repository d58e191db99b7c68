/*
 * mkrootfs: build a root filesystem out of this machine's own programs.
 *
 * A root filesystem is a directory that holds all that a program expects below "/". The programs
 * are here already; what each one needs besides is its dynamic loader and its libraries, and the
 * loader itself tells which: "LOADER --list PROGRAM", the very thing that ldd(1) does.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"
#include "rootfs.h"
#include "tool.h"

static const char usage[] =
    "Usage: mkrootfs [OPTION]... [--] DIRECTORY [PROGRAM]...\n"
    "Build a root filesystem in DIRECTORY from this machine's own programs and the libraries\n"
    "they need: each PROGRAM, or a shell and the everyday tools if none is given. DIRECTORY must\n"
    "be new, empty, or made by mkrootfs before; then programs are renewed or added.\n"
    "\n"
    "  -x, --explain          print each step as it is taken\n"
    "  -h, --help             print this help\n"
    "  -V, --version          print the version\n"
    "\n"
    "Example: mkrootfs rootfs && chroot rootfs /bin/ls -l /\n"
    "\n"
    "The same in the shell, for one program:\n"
    "  mkdir -p rootfs/bin && cp /bin/ls rootfs/bin\n"
    "  ldd /bin/ls     # and copy each library to the same place below rootfs\n";

/* What is not on this machine is left out. */
static const char everyday[] =
    "sh bash dash busybox " /* coreutils: */
    "[ arch b2sum base64 basename cat chgrp chmod chown chroot cksum comm cp cut date dd df dir "
    "dirname du echo env expand expr factor false fmt fold groups head hostid id install join link "
    "ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk "
    "pr printenv printf ptx pwd readlink realpath rm rmdir seq sha1sum sha256sum shred shuf sleep "
    "sort split stat stdbuf stty sum sync tac tail tee test timeout touch tr true truncate tsort "
    "tty uname unexpand uniq unlink users vdir wc who whoami yes " /* util-linux: */
    "chrt column dmesg domainname fallocate findmnt flock getopt hexdump hostname ionice ipcmk "
    "ipcrm ipcs kill logger losetup lsblk lscpu lsipc lsns mesg more mount mountpoint nsenter "
    "pivot_root prlimit renice rev setpriv setsid su taskset umount unshare uuidgen "
    "whereis " /* processes: */
    "free pgrep pidof pidwait pkill pmap ps pstree pwdx slabtop sysctl tload top uptime vmstat w "
    "watch " /* network: */
    "arping bridge curl dig getent host ifconfig ip nc netstat nft nslookup ping ss tc "
    "traceroute wget " /* text and files: */
    "awk bunzip2 bzip2 cmp diff ed egrep fgrep file find grep gunzip gzip less nano patch sed tar "
    "vi which xargs xz zcat zstd " /* looking closer: */
    "capsh clear getcap getfacl getfattr getpcaps ldd lsof ltrace reset setcap setfacl setfattr "
    "strace stress stress-ng tput";

/* Top-level links of machines whose /bin is /usr/bin: see file-hierarchy(7). */
static const char *const merged[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static const char *const directories[] = {"/etc", "/usr/bin", "/bin", "/proc", "/sys", "/dev",
                                          "/run", "/home",    "/mnt", "/var",  "/opt"};

/* What a terminal understands, for top, less and the shell's line editing. See terminfo(5). */
static const char terminals[] = "xterm xterm-256color linux screen screen-256color tmux "
                                "tmux-256color vt100 vt220 ansi dumb";

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
static const char group[] = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
static const char hosts[] = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
static const char nsswitch[] = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
                               "networks: files\nprotocols: files\nservices: files\n";

static bool is_script(const char *path)
{
    char start[2] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file == -1 ? 0 : read(file, start, sizeof(start));

    if (file != -1)
        close(file);
    return got == 2 && memcmp(start, "#!", 2) == 0;
}

/* Start LOADER --list PROGRAM; what it prints can be read from the stream. */
static FILE *start_listing(char *loader, char *program, pid_t *pid)
{
    char *arguments[] = {loader, "--list", program, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    explain("%s --list %s\tposix_spawn(\"%s\")", loader, program, loader);
    errno = posix_spawn(pid, loader, &actions, NULL, arguments, environ);
    if (errno != 0)
        die("%s, the loader of %s", loader, program);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *listing = fdopen(ends[0], "r");
    if (listing == NULL)
        die("memory");
    return listing;
}

/* glibc older than 2.34 finds users and host names by libraries that no program names itself. */
static void place_name_services(const char *libc)
{
    static const char *const services[] = {"libnss_files.so.2", "libnss_dns.so.2"};
    char path[PATH_MAX], real[PATH_MAX];

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        snprintf(path, sizeof(path), "%.*s%s", (int)(strrchr(libc, '/') + 1 - libc), libc,
                 services[i]);
        if (access(path, R_OK) == 0)
            rootfs_place(path, real);
    }
}

/* Lines are "NAME => PATH (ADDRESS)" or "PATH (ADDRESS)"; the rest has no file of its own. */
static void place_libraries(char *loader, char *program)
{
    char *line = NULL, real[PATH_MAX];
    size_t size = 0;
    pid_t pid;
    FILE *listing = start_listing(loader, program, &pid);

    while (getline(&line, &size, listing) != -1) {
        char *arrow = strstr(line, "=> "), *address = strstr(line, " (0x");
        char *path = arrow ? arrow + strlen("=> ") : line + strspn(line, "\t ");
        if (path[0] != '/' || address == NULL)
            continue;
        *address = '\0';
        rootfs_place(path, real);
        if (strstr(path, "/libc.so.6") != NULL)
            place_name_services(path);
    }
    free(line);
    fclose(listing);
    waitpid(pid, NULL, 0);
}

static void place_program(const char *path)
{
    char real[PATH_MAX], interpreter[PATH_MAX], ignored[PATH_MAX];

    if (!rootfs_place(path, real) || !program_interpreter(real, interpreter, sizeof(interpreter)))
        return;
    if (is_script(real)) {
        place_program(interpreter);
    } else {
        rootfs_place(interpreter, ignored);
        place_libraries(interpreter, real);
    }
}

/* In the directories that every machine has, whatever this user's $PATH says. */
static bool find_system_program(const char *name, char *path, size_t size)
{
    static const char *const places[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, size, "%s/%s", places[i], name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* A program that was asked for by NAME: it has to be there. */
static void find_named(const char *name, char path[PATH_MAX])
{
    struct stat status;

    if (!program_find(name, path, PATH_MAX) &&
        (strchr(name, '/') != NULL || !find_system_program(name, path, PATH_MAX)))
        fail("%s: there is no such program on this machine", name);
    if (access(path, X_OK) == -1 || stat(path, &status) == -1 || !S_ISREG(status.st_mode))
        fail("%s: not a program that you can run", path);
}

/* One of many: what you can't read, or what can't run here either, is left out. */
static void place_everyday(const char *name)
{
    char path[PATH_MAX], interpreter[PATH_MAX];

    if (!find_system_program(name, path, sizeof(path)) && !program_find(name, path, sizeof(path)))
        return;
    if (access(path, R_OK | X_OK) == -1)
        return;
    if (program_interpreter(path, interpreter, sizeof(interpreter)) &&
        access(interpreter, R_OK | X_OK) == -1)
        return;
    place_program(path);
}

static void place_terminal(const char *name)
{
    static const char *const places[] = {"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo",
                                         "/usr/lib/terminfo"};
    char path[PATH_MAX], real[PATH_MAX];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%c/%s", places[i], name[0], name);
        if (access(path, R_OK) == 0) {
            rootfs_place(path, real);
            return;
        }
    }
}

/* Call PLACE for each of the names in LIST, which are divided by blanks. */
static void place_each(const char *list, void (*place)(const char *name))
{
    char *names = strdup(list), *rest = NULL;

    if (names == NULL)
        die("memory");
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        place(name);
    free(names);
}

static void make_frame(void)
{
    char real[PATH_MAX];
    const char *terminal = getenv("TERM");

    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++)
        if (access(merged[i], F_OK) == 0)
            rootfs_place(merged[i], real);
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        rootfs_directory(directories[i], 0755);
    rootfs_directory("/root", 0700);
    rootfs_directory("/tmp", 01777);
    rootfs_directory("/var/tmp", 01777);
    rootfs_text("/etc/passwd", passwd);
    rootfs_text("/etc/group", group);
    rootfs_text("/etc/hosts", hosts);
    rootfs_text("/etc/nsswitch.conf", nsswitch);
    rootfs_text("/etc/resolv.conf", "");
    if (access("/etc/ld.so.cache", R_OK) == 0) /* where the loader looks: see ld.so(8) */
        rootfs_place("/etc/ld.so.cache", real);
    place_each(terminals, place_terminal);
    if (terminal != NULL && strpbrk(terminal, "/ ") == NULL && terminal[0] != '\0')
        place_terminal(terminal);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"explain", no_argument, NULL, 'x'},
                                            {NULL, 0, NULL, 0}};
    char path[PATH_MAX];
    int option;

    tool_start(argv, "mkrootfs", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, options, NULL)) != -1)
        tool_option(option);
    if (optind == argc)
        fail("a directory is missing: mkrootfs DIRECTORY [PROGRAM]...");

    const char *directory = argv[optind++];
    for (int i = optind; i < argc; i++)
        find_named(argv[i], path); /* a mistake is told before anything is made */
    rootfs_open(directory);
    make_frame();
    if (optind == argc)
        place_each(everyday, place_everyday);
    for (int i = optind; i < argc; i++) {
        find_named(argv[i], path);
        place_program(path);
    }
    return EXIT_SUCCESS;
}
