#define _GNU_SOURCE
#include "spec.h"

#include <ctype.h>
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/json.h"
#include "streams.h"

/* --- the state file --------------------------------------------------------------------------- */

enum kind { TEXT, LIST, FLAG, NUMBER };

static const struct field {
    const char *name;
    enum kind kind;
    size_t place, size;
} fields[] = {
#define FIELD(kind, name)                                                                          \
    {                                                                                              \
#name, kind, offsetof(struct spec, name), sizeof(((struct spec *)NULL)->name)              \
    }
    FIELD(TEXT, name),           FIELD(FLAG, running),     FIELD(TEXT, hostname),
    FIELD(TEXT, source),         FIELD(TEXT, image),       FIELD(LIST, command),
    FIELD(TEXT, entrypoint),     FIELD(TEXT, user),        FIELD(LIST, groups),
    FIELD(TEXT, workdir),        FIELD(LIST, environment), FIELD(TEXT, network),
    FIELD(TEXT, address),        FIELD(LIST, ports),       FIELD(LIST, mounts),
    FIELD(TEXT, cgroup),         FIELD(TEXT, layer),       FIELD(NUMBER, pid),
    FIELD(NUMBER, monitor),      FIELD(FLAG, keep),        FIELD(FLAG, detach),
    FIELD(FLAG, interactive),    FIELD(FLAG, tty),         FIELD(FLAG, rm),
    FIELD(FLAG, read_only),      FIELD(FLAG, init),        FIELD(NUMBER, pid_namespace),
    FIELD(FLAG, user_namespace), FIELD(NUMBER, first_id),  FIELD(NUMBER, capabilities),
    FIELD(NUMBER, namespaces),   FIELD(FLAG, seccomp),     FIELD(NUMBER, stop_signal),
    FIELD(NUMBER, stop_timeout), FIELD(NUMBER, created),   FIELD(NUMBER, ended),
    FIELD(NUMBER, status),       FIELD(LIST, ulimits),
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

bool spec_set(struct spec *spec, const char *option, const char *text)
{
    enum kind kind = text != NULL ? TEXT : FLAG;

    for (size_t i = 0; i < FIELDS; i++) {
        void *place = (char *)spec + fields[i].place;
        if (fields[i].kind != kind || strcmp(fields[i].name, option) != 0)
            continue;
        if (kind == TEXT)
            *(const char **)place = text;
        else
            *(bool *)place = true;
        return true;
    }
    return false;
}

/* Numbers have four or eight bytes, the former a sign. -1 is null. */
static void write_number(const void *place, size_t size, FILE *file)
{
    long long number = size == sizeof(int) ? *(const int *)place : *(const long long *)place;

    fprintf(file, number < 0 ? "null" : "%lld", number);
}

void spec_write(const struct spec *spec, FILE *file)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const void *place = (const char *)spec + fields[i].place;
        const char *text = fields[i].kind == TEXT ? *(const char *const *)place : NULL;

        fprintf(file, "%s\"%s\": ", i > 0 ? ",\n " : "{", fields[i].name);
        if (fields[i].kind == TEXT)
            json_put(file, text != NULL ? text : "");
        else if (fields[i].kind == LIST)
            json_put_list(file, *(char *const *const *)place);
        else if (fields[i].kind == FLAG)
            fputs(*(const bool *)place ? "true" : "false", file);
        else
            write_number(place, fields[i].size, file);
    }
    fputc('}', file);
}

static void parse_field(const struct field *field, void *place, const struct json *json)
{
    size_t value = json_member(json, 0, field->name);
    long long number = json_is(json, value, 'n') ? -1 : 0;

    if (field->kind == TEXT) {
        char *text = json_text(json, value);
        *(const char **)place = text != NULL ? text : "";
    } else if (field->kind == LIST) {
        *(char ***)place = json_list(json, 0, field->name);
    } else if (field->kind == FLAG) {
        *(bool *)place = json_is(json, value, 't');
    } else {
        if (json_is(json, value, '0'))
            number = strtoll(json->text + json->values[value].start, NULL, 10);
        memcpy(place, &number, field->size); /* the low bytes come first on all our machines */
    }
}

int spec_read(struct spec *spec, const char *path)
{
    FILE *file = fopen(path, "re");
    struct json json;
    char *text = NULL;
    size_t size = 0;

    if (file == NULL && errno == ENOENT)
        file = fopen("/dev/null", "re");
    ssize_t length = file != NULL ? getdelim(&text, &size, '\0', file) : -1;
    if (file == NULL || ferror(file))
        return report("read %s", path);
    fclose(file);
    if ((length <= 0 || !json_read(&json, text, (size_t)length)) && !json_read(&json, "{}", 2))
        die("read JSON");
    for (size_t i = 1; i < FIELDS; i++) /* all but the name, which is the directory's */
        parse_field(&fields[i], (char *)spec + fields[i].place, &json);
    free(json.values); /* the strings are the spec's from here on */
    free(text);
    return 0;
}

/* --- from the options and the image ----------------------------------------------------------- */

void list_add(char ***list, const char *text)
{
    size_t count = 0;

    while (*list != NULL && (*list)[count] != NULL)
        count++;
    *list = realloc(*list, (count + 2) * sizeof(char *));
    if (*list == NULL)
        die("realloc");
    (*list)[count] = (char *)text;
    (*list)[count + 1] = NULL;
}

void list_add_all(char ***list, char *const *more)
{
    for (; more != NULL && *more != NULL; more++)
        list_add(list, *more);
}

char *list_join(char *const *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        die("open_memstream");
    for (int i = 0; list != NULL && list[i] != NULL; i++)
        fprintf(file, "%s%s", i > 0 ? " " : "", list[i]);
    fclose(file);
    return text;
}

/* Real-time signals as most programs in a box count them. libc keeps the first few of them for
 * itself: glibc two, and musl, whose SIGRTMIN would be another number here, three. */
enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 };

/* The index is the number, the same on x86-64 and arm64: signal(7). musl has no sigabbrev_np(3). */
static const char *const signals[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
_Static_assert(SIGTERM == 15 && SIGTTOU == 22 && SIGSYS == 31, "the order is the kernel's");

int signal_number(const char *text, const char *what)
{
    const char *name = text + (strncasecmp(text, "SIG", 3) == 0 ? 3 : 0);
    int first = 0;
    char *end = NULL;

    for (int i = 1; i <= SIGSYS; i++)
        if (strcasecmp(name, signals[i]) == 0)
            return i;
    if (strcasecmp(name, "RTMIN") == 0)
        return FIRST_REAL_TIME;
    if (strncasecmp(name, "RTMIN+", 6) == 0) {
        first = FIRST_REAL_TIME;
        name += 6;
    }
    long number = isdigit((unsigned char)name[0]) ? strtol(name, &end, 10) : -1;
    if (number < 0 || first + number == 0 || number > LAST_REAL_TIME - first || *end != '\0')
        fail("invalid %s '%.80s': expected a name such as TERM, USR1 or RTMIN+3, or a number from "
             "1 to %d",
             what, text, LAST_REAL_TIME);
    return first + (int)number;
}

/* What the options leave open. */
static void complete_from_image(struct spec *spec)
{
    const struct config *config = &spec->layers.image.config;

    spec->image = spec->layers.image.id;
    if (spec->user == NULL)
        spec->user = config->user;
    if (spec->workdir == NULL)
        spec->workdir = config->directory;
    if (spec->entrypoint == NULL)
        spec->command = image_command(&spec->layers.image, spec->command);
    if (spec->stop_signal == 0 && config->stop_signal != NULL && config->stop_signal[0] != '\0')
        spec->stop_signal = signal_number(config->stop_signal, "StopSignal of the image");
}

/* The last of two variables with one name counts, so the image's come first. */
static void complete_environment(struct spec *spec)
{
    char **own = spec->environment;

    spec->environment = NULL;
    if (spec->layers.directory == NULL)
        list_add_all(&spec->environment, spec->layers.image.config.environment);
    list_add_all(&spec->environment, spec->variables);
    list_add_all(&spec->environment, own);
}

static void complete_network(struct spec *spec)
{
    static char text[RESOLV_TEXT];

    spec->linked = strcmp(spec->network, "bridge") == 0;
    if (strcmp(spec->network, "none") == 0 && spec->net.dns_count == 0)
        return;
    (void)resolv_compose(spec->net.dns, spec->net.dns_count, text);
    spec->resolv = text;
}

int spec_complete(struct spec *spec)
{
    static char *shell[] = {"/bin/sh", NULL};
    bool root = geteuid() == 0, in_users = spec->user_namespace || in_user_namespace();
    int error = layers_open(&spec->layers, spec->source, spec->keep, in_users);

    if (error != 0)
        return error;
    if (spec->layers.directory == NULL)
        complete_from_image(spec);
    complete_environment(spec);
    if (spec->command == NULL || spec->command[0] == NULL) {
        spec->command = shell;
        streams_check_shell(spec);
    }
    if (spec->stop_signal == 0)
        spec->stop_signal = SIGTERM;
    complete_network(spec);
    spec->plan.counted = true;
    /* Root makes a group even if nobody has asked for limits: it ends all processes of the box. */
    const char *tree = root ? tree_top() : NULL;
    spec->grouped = spec->plan.limits.count > 0 || (tree != NULL && access(tree, W_OK) == 0);
    /* Otherwise an init is needed: a command that changes its user survives the monitor. */
    spec->init |= root && !spec->grouped;
    spec->capabilities = capability_chosen(spec->cap_add, spec->cap_drop);
    spec->mapped = spec->user_namespace && root;
    spec->namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWCGROUP;
    spec->namespaces |= spec->user_namespace ? CLONE_NEWUSER : 0;
    spec->namespaces |= strcmp(spec->network, "host") != 0 ? CLONE_NEWNET : 0;
    spec->namespaces |= spec->grouped ? CLONE_INTO_CGROUP : 0;
    return 0;
}
