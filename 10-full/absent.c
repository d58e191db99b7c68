#include "absent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"

/* Names with blanks between; each stands for all options that begin with it. */
static const struct {
    const char *names, *instead;
} absent[] = {
    {"mount volumes-from", "use -v SRC:DST[:ro] or --tmpfs DST"},
    {"device gpus", "a box has none of the machine's devices"},
    {"privileged", "--cap-add, --seccomp off and --userns host grant power piece by piece"},
    {"security-opt", "--seccomp off takes the filter away, and nothing else can be set"},
    {"restart", "let a service manager, such as systemd, start 'full run' again"},
    {"link network-alias", "use --add-host NAME:ADDRESS with an address that 'full ps' shows"},
    {"publish-all expose -P", "use -p PORT:BOXPORT"},
    {"log-", "'full logs' prints what a detached box has written"},
    {"sysctl", "in a box the kernel's settings are read-only"},
    {"platform pull", "images come from files, by 'full load'"},
    {"cpu- -c", "use --cpus"},
    {"memory- kernel-memory", "use --memory, which leaves no swap"},
    {"ipc uts cgroupns", "a box always has namespaces of its own"},
    {"attach sig-proxy -a", "without --detach, output and signals are passed on"},
    {"annotation blkio- cgroup-parent cidfile cpuset-mems detach-keys disable-content-trust dns- "
     "domainname health- ip6 isolation label mac-address no-healthcheck oom- quiet runtime "
     "storage-opt volume-driver -l -q",
     "there is nothing like it"},
};

void absent_option(const char *word)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    bool is_long = strncmp(word, "--", 2) == 0;
    const char *option = is_long ? word + 2 : letter, *name;

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        for (char *names = strdupa(absent[i].names); (name = strsep(&names, " ")) != NULL;) {
            if (strncmp(option, name, strlen(name)) != 0)
                continue;
            dprintf(tool_errors(), "hint: docker's %s%.*s isn't here: %s\n", is_long ? "--" : "",
                    (int)strcspn(option, "="), option, absent[i].instead);
            exit(EXIT_TOOL);
        }
    }
}
