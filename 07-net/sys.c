#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"

/* The directory that LINE of mountinfo says is mounted, if it lies below /sys; else NULL. */
static char *below_sys(char *line)
{
    char *place = line;

    for (int field = 1; field < 5 && place != NULL; field++) { /* proc_pid_mountinfo(5) */
        place = strchr(place, ' ');
        place += place != NULL;
    }
    if (place == NULL || strncmp(place, "/sys/", strlen("/sys/")) != 0)
        return NULL;
    place[strcspn(place, " ")] = '\0';
    return place;
}

/* Bind PLACE of the old /sys, which is covered but still open as OLD, into the new one. */
static void keep(int old, const char *place)
{
    char source[4096];

    snprintf(source, sizeof(source), "/proc/self/fd/%d%s", old, place + strlen("/sys"));
    if (access(source, F_OK) == -1 || access(place, F_OK) == -1)
        return;
    explain(
        "mount --no-canonicalize --rbind %s %s\tmount(\"%s\", \"%s\", NULL, MS_BIND|MS_REC, NULL)",
        source, place, source, place);
    if (mount(source, place, NULL, MS_BIND | MS_REC, NULL) == -1)
        die("keep what is mounted on %s", place);
}

void sys_mount(void)
{
    char *line = NULL, *places[32], *place;
    size_t size = 0;
    int count = 0, old = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    if (old == -1 || mounts == NULL)
        die("open %s", old == -1 ? "/sys" : "/proc/self/mountinfo");
    while (getline(&line, &size, mounts) != -1) {
        if ((place = below_sys(line)) == NULL || count == 32)
            continue;
        bool inside_another = false; /* then it comes along with that one */
        for (int i = 0; i < count; i++) {
            size_t length = strlen(places[i]);
            inside_another |= strncmp(place, places[i], length) == 0 &&
                              (place[length] == '/' || place[length] == '\0');
        }
        if (!inside_another && (places[count++] = strdup(place)) == NULL)
            die("strdup");
    }
    fclose(mounts);
    free(line);
    if (count > 0)
        explain("exec %d</sys\topen(\"/sys\", O_PATH)", old);
    mount_new("sysfs", "/sys", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    for (int i = 0; i < count; i++) {
        keep(old, places[i]);
        free(places[i]);
    }
    close(old);
}
