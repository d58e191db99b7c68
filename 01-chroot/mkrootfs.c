/*
 * mkrootfs: build a root filesystem out of this machine's own programs.
 *
 * A root filesystem is a directory that holds everything a program expects below "/". The programs
 * are here already; ldd(1) lists the dynamic loader and the libraries that each of them needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"
#include "tool.h"

static const char usage[] =
    "Usage: mkrootfs [OPTION]... [--] DIRECTORY [PROGRAM]...\n"
    "Build a root filesystem in DIRECTORY from this machine's own programs and the libraries\n"
    "they need: each PROGRAM, or a shell and the everyday tools if none is given. DIRECTORY must\n"
    "not exist yet; one that mkrootfs has made before stays as it is.\n"
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

/* Programs that this machine doesn't have are left out. */
static const char everyday[] =
    "sh bash dash busybox [ arch base64 basename cat chgrp chmod chown chroot cksum cmp comm "
    "cp cut date dd df dir dirname du echo env expand expr false fmt fold groups head hostid "
    "id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup "
    "nproc od paste pr printenv printf pwd readlink realpath rm rmdir seq sha1sum sha256sum "
    "shuf sleep sort split stat stdbuf stty sum sync tac tail tee test timeout touch tr true "
    "truncate tty uname unexpand uniq unlink users wc who whoami yes column dmesg domainname "
    "fallocate findmnt flock getopt hexdump hostname ionice ipcmk ipcrm ipcs kill logger "
    "losetup lsblk lscpu lsipc lsns mesg more mount mountpoint nsenter pivot_root prlimit "
    "renice rev setpriv setsid su taskset umount unshare whereis free pgrep pidof pkill pmap "
    "ps pstree sysctl top uptime vmstat w watch arping bridge curl dig getent ifconfig ip nc "
    "netstat nft nslookup ping ss tc traceroute wget awk bunzip2 bzip2 diff ed egrep fgrep "
    "file find grep gunzip gzip less nano patch sed tar vi which xargs xz zcat zstd capsh "
    "clear getcap getfacl getfattr getpcaps ldd lsof ltrace reset setcap setfacl setfattr "
    "strace stress tput";

/* What a terminal understands, for top, less and the shell's line editing. See terminfo(5). */
static const char *const terminals[] = {"x/xterm",        "x/xterm-256color",  "l/linux",
                                        "s/screen",       "s/screen-256color", "t/tmux",
                                        "t/tmux-256color"};

/* On most machines these are links to their namesakes in /usr: see file-hierarchy(7). */
static const char *const merged[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static const struct {
    const char *path;
    mode_t mode;
} directories[] = {{"/etc", 0755},     {"/usr/bin", 0755}, {"/bin", 0755},  {"/proc", 0755},
                   {"/sys", 0755},     {"/dev", 0755},     {"/run", 0755},  {"/home", 0755},
                   {"/mnt", 0755},     {"/opt", 0755},     {"/root", 0700}, {"/tmp", 01777},
                   {"/var/tmp", 01777}};

static const struct {
    const char *path, *text;
} texts[] = {
    {"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    {"/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
    {"/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"},
    {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
                           "networks: files\nprotocols: files\nservices: files\n"},
    {"/etc/resolv.conf", ""},
    {"/.mkrootfs", ""}, /* says that mkrootfs has made all this */
};

static volatile sig_atomic_t interrupted; /* by this signal */
static int outside;                       /* the working directory that we came from */
static char *unfinished;                  /* what we are making, as seen from there */

/*
 * The working directory is the new root. So what has the PATH "/bin/ls" on the machine has PATH + 1
 * here, "bin/ls".
 */
static bool is_there(const char *path)
{
    return faccessat(AT_FDCWD, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make_directory(const char *path, mode_t mode)
{
    char parent[PATH_MAX];

    if (path[0] == '\0' || is_there(path))
        return;
    snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
    make_directory(parent, 0755);
    explain("mkdir -m %o %s\tmkdir(\"%s\", %#o)", mode, path + 1, path + 1, mode);
    if (mkdir(path + 1, mode) == -1)
        die("make %s", path);
}

static void make_link(const char *path, const char *target)
{
    explain("ln -s %s %s\tsymlink(\"%s\", \"%s\")", target, path + 1, target, path + 1);
    if (symlink(target, path + 1) == -1)
        die("make the link %s", path);
}

static void copy_file(const char *path)
{
    struct stat status;
    ssize_t sent;
    int source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (source == -1 || fstat(source, &status) == -1) {
        hint("mkrootfs copies it as you, so you must be allowed to read it");
        die("%s", path);
    }
    explain("cp %s %s\tsendfile(\"%s\")", path, path + 1, path);
    int file =
        open(path + 1, O_WRONLY | O_CREAT | O_CLOEXEC, status.st_mode & 0777); /* no setuid */
    if (file == -1)
        die("copy %s", path);
    while ((sent = sendfile(file, source, NULL, 1 << 30)) > 0)
        ;
    if (sent == -1 || close(file) == -1)
        die("copy %s", path);
    close(source);
}

/* Copy the file PATH of this machine. If it is reached by a link, make one that leads to it, too.
 */
static void place(const char *path)
{
    char real[PATH_MAX], parent[PATH_MAX];

    if (realpath(path, real) == NULL)
        die("%s", path);
    for (const char *each = real; each != NULL; each = each == real ? path : NULL) {
        if (is_there(each))
            continue;
        snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(each, '/') - each), each);
        make_directory(parent, 0755);
        if (each == real)
            copy_file(real);
        else
            make_link(path, real);
    }
}

/* What "ldd PROGRAM" prints: "NAME => PATH (ADDRESS)", or "PATH (ADDRESS)" for the loader. */
static void place_libraries(const char *program)
{
    char command[PATH_MAX + 32], *line = NULL;
    size_t size = 0;

    if (strchr(program, '\'') != NULL)
        fail("%s: no program with a ' in its name can be copied", program);
    snprintf(command, sizeof(command), "LC_ALL=C ldd '%s' 2>/dev/null", program);
    explain("ldd %s\tpopen(\"ldd %s\")", program, program);
    FILE *listing = popen(command, "re");
    while (listing != NULL && getline(&line, &size, listing) != -1) {
        char *arrow = strstr(line, "=> "), *address = strstr(line, " (0x");
        char *path = arrow != NULL ? arrow + strlen("=> ") : line + strspn(line, "\t ");
        if (path[0] != '/' || address == NULL)
            continue;
        *address = '\0';
        place(path);
    }
    free(line);
    if (listing == NULL || pclose(listing) == -1)
        die("ldd %s", program);
}

/* The program itself, and what it is started by: a script's interpreter, or the dynamic loader. */
static void place_program(const char *path)
{
    char start[PATH_MAX] = "", interpreter[PATH_MAX];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (interrupted != 0)
        exit(EXIT_SIGNAL + interrupted);
    place(path);
    if (file == -1 || read(file, start, sizeof(start) - 1) == -1)
        die("%s", path);
    close(file);
    if (strncmp(start, "#!", 2) == 0 && sscanf(start + 2, "%4095s", interpreter) == 1)
        place_program(interpreter);
    else
        place_libraries(path);
}

static void make_frame(void)
{
    char target[PATH_MAX], path[PATH_MAX];

    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++) {
        ssize_t length = readlink(merged[i], target, sizeof(target) - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        snprintf(path, sizeof(path), "/%s", target + (target[0] == '/'));
        make_directory(path, 0755);
        make_link(merged[i], path + 1);
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        make_directory(directories[i].path, directories[i].mode);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *name = texts[i].path + 1;
        explain("touch %s    # and write to it\topen(\"%s\", O_CREAT)", name, name);
        int file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file == -1 || dprintf(file, "%s", texts[i].text) < 0 || close(file) == -1)
            die("make /%s", name);
    }
    if (access("/etc/ld.so.cache", R_OK) == 0) /* where the loader looks: see ld.so(8) */
        place("/etc/ld.so.cache");
    for (size_t i = 0; i < 2 * sizeof(terminals) / sizeof(terminals[0]); i++) {
        snprintf(path, sizeof(path), "/%s/terminfo/%s", i % 2 ? "usr/share" : "lib",
                 terminals[i / 2]);
        if (access(path, R_OK) == 0)
            place(path);
    }
}

/* Each everyday program that this machine has and you may read and run. */
static void place_everyday(void)
{
    char *names = strdup(everyday), *rest = NULL, path[PATH_MAX];

    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        if (program_find(name, path, sizeof(path)) && access(path, R_OK | X_OK) == 0)
            place_program(path);
    free(names);
}

/* The program that was asked for by NAME, with its whole path. */
static char *find_named(const char *name)
{
    char path[PATH_MAX];
    struct stat status;

    if (!program_find(name, path, sizeof(path)))
        fail("%s: there is no such program on this machine", name);
    if (access(path, X_OK) == -1 || stat(path, &status) == -1 || !S_ISREG(status.st_mode))
        fail("%s: not a program that you can run", path);
    return path[0] == '/' ? strdup(path) : realpath(path, NULL);
}

static void interrupt(int signal)
{
    interrupted = signal;
}

/* After an error or Ctrl-C, at exit(3). */
static void remove_unfinished(void)
{
    if (unfinished == NULL || fchdir(outside) == -1)
        return;
    if (fork() == 0) {
        execlp("rm", "rm", "-rf", "--", unfinished, (char *)NULL);
        _exit(EXIT_NOT_FOUND);
    }
    wait(NULL);
}

/* Begin beside DIRECTORY, so that what gets interrupted never looks like a whole one. */
static void begin(const char *directory)
{
    char mark[PATH_MAX], *path;

    snprintf(mark, sizeof(mark), "%s/.mkrootfs", directory);
    if (access(mark, F_OK) == 0) {
        printf("%s is there already, and stays as it is\n", directory);
        exit(EXIT_SUCCESS);
    }
    if (access(directory, F_OK) == 0) {
        hint("give the name of a new directory");
        fail("%s: is there already, and was not made by mkrootfs", directory);
    }
    signal(SIGHUP, interrupt);
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    umask(0); /* modes are meant as they are written */
    outside = open(".", O_PATH | O_CLOEXEC);
    if (outside == -1 || asprintf(&path, "%s.new", directory) == -1)
        die("begin");
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    if (mkdir(path, 0755) == -1) {
        if (errno == EEXIST)
            hint("another mkrootfs is at work; if it was killed: rm -r %s", path);
        die("%s", path);
    }
    unfinished = path;
    atexit(remove_unfinished);
    explain("cd %s\tchdir(\"%s\")", path, path);
    if (chdir(path) == -1)
        die("chdir %s", path);
}

static void finish(const char *directory)
{
    explain("cd -\tfchdir(outside)");
    explain("mv %s %s\trename(\"%s\", \"%s\")", unfinished, directory, unfinished, directory);
    if (fchdir(outside) == -1 || rename(unfinished, directory) == -1)
        die("rename %s", unfinished);
    unfinished = NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"explain", no_argument, NULL, 'x'},
                                            {NULL, 0, NULL, 0}};
    int option;

    tool_start(argv, "mkrootfs", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, options, NULL)) != -1)
        tool_option(option);
    if (optind == argc)
        fail("a directory is missing: mkrootfs DIRECTORY [PROGRAM]...");

    char *directory = argv[optind++];
    while (strlen(directory) > 1 && directory[strlen(directory) - 1] == '/')
        directory[strlen(directory) - 1] = '\0';
    for (int i = optind; i < argc; i++)
        argv[i] = find_named(argv[i]); /* report mistakes before creating anything */
    begin(directory);
    make_frame();
    for (int i = optind; i < argc; i++)
        place_program(argv[i]);
    if (optind == argc)
        place_everyday();
    finish(directory);
    return EXIT_SUCCESS;
}
