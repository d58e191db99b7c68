#include "spec.h"

#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../07-net/resolv.h"
#include "../09-overlay/json.h"
#include "signals.h"

/* --- the table -------------------------------------------------------------------------------- */

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
    FIELD(TEXT, name),        FIELD(FLAG, running),        FIELD(TEXT, hostname),
    FIELD(TEXT, source),      FIELD(TEXT, image),          FIELD(LIST, command),
    FIELD(TEXT, user),        FIELD(TEXT, groups),         FIELD(TEXT, workdir),
    FIELD(LIST, environment), FIELD(TEXT, network),        FIELD(TEXT, address),
    FIELD(LIST, ports),       FIELD(LIST, mounts),         FIELD(TEXT, cgroup),
    FIELD(TEXT, layer),       FIELD(NUMBER, pid),          FIELD(NUMBER, born),
    FIELD(NUMBER, monitor),   FIELD(NUMBER, monitor_born), FIELD(FLAG, user_namespace),
    FIELD(NUMBER, first_id),  FIELD(NUMBER, capabilities), FIELD(NUMBER, namespaces),
    FIELD(FLAG, seccomp),     FIELD(NUMBER, stop_signal),  FIELD(NUMBER, stop_timeout),
    FIELD(NUMBER, created),   FIELD(NUMBER, ended),        FIELD(NUMBER, status),
    FIELD(FLAG, keep),
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const void *place_in(const struct spec *spec, const struct field *field)
{
    return (const char *)spec + field->place;
}

/* Numbers have four or eight bytes, the former a sign. */
static long long number_at(const void *place, size_t size)
{
    return size == sizeof(int) ? *(const int *)place : *(const long long *)place;
}

void spec_write(const struct spec *spec, FILE *file)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const void *place = place_in(spec, &fields[i]);
        fprintf(file, "%s\"%s\": ", i > 0 ? ",\n " : "{", fields[i].name);
        if (fields[i].kind == LIST) {
            json_put_list(file, *(char *const *const *)place);
        } else if (fields[i].kind == FLAG) {
            fputs(*(const bool *)place ? "true" : "false", file);
        } else if (fields[i].kind == NUMBER) {
            long long number = number_at(place, fields[i].size);
            fprintf(file, number < 0 ? "null" : "%lld", number);
        } else {
            const char *text = *(const char *const *)place;
            json_put(file, text != NULL ? text : "");
        }
    }
    fputc('}', file);
}

void spec_show(const struct spec *spec)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const void *place = place_in(spec, &fields[i]);
        char *text = NULL;
        if (fields[i].kind == LIST)
            text = list_join(*(char *const *const *)place);
        else if (fields[i].kind == TEXT)
            text = strdup(*(const char *const *)place);
        if (text != NULL)
            tool_disarm(text, ' ');
        printf("  %-14s ", fields[i].name);
        if (text != NULL)
            puts(text);
        else if (fields[i].kind == FLAG)
            puts(*(const bool *)place ? "yes" : "no");
        else
            printf("%lld\n", number_at(place, fields[i].size));
        free(text);
    }
}

static void parse_field(struct spec *spec, const struct field *field, const struct json *json,
                        size_t value)
{
    void *place = (char *)spec + field->place;

    if (field->kind == TEXT) {
        char *text = json_string(json, value);
        *(const char **)place = text != NULL ? text : "";
    } else if (field->kind == LIST) {
        *(char ***)place = json_list(json, 0, field->name);
    } else if (field->kind == FLAG) {
        *(bool *)place = json_is(json, value, JSON_TRUE);
    } else {
        long long number = json_is(json, value, JSON_NULL) ? -1 : 0;
        if (json_is(json, value, JSON_NUMBER))
            number = strtoll(json->text + json->values[value].start, NULL, 10);
        memcpy(place, &number, field->size); /* the low bytes come first on all our machines */
    }
}

void spec_parse(struct spec *spec, const char *text, size_t length)
{
    struct json json;

    if (!json_read(&json, text, length, NULL) && !json_read(&json, "{}", 2, NULL))
        die("read JSON");
    for (size_t i = 0; i < FIELDS; i++)
        parse_field(spec, &fields[i], &json, json_member(&json, 0, fields[i].name));
    json_free(&json);
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

bool spec_name_is_valid(const char *name)
{
    if (!isalnum((unsigned char)name[0]) || strlen(name) > 63)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL)
            return false;
    return true;
}

/* The image's variables come first, so that the options' count; the rest counts if not given. */
static int complete_from_image(struct spec *spec)
{
    const struct config *config = &spec->layers.image.config;
    char **asked = spec->environment;

    spec->environment = NULL;
    for (char **variable = config->environment; *variable != NULL; variable++)
        if (strcspn(*variable, "=") > 0 && strchr(*variable, '=') != NULL)
            list_add(&spec->environment, *variable);
    for (; asked != NULL && *asked != NULL; asked++)
        list_add(&spec->environment, *asked);
    if (spec->user == NULL)
        spec->user = config->user;
    if (spec->workdir == NULL)
        spec->workdir = config->directory;
    if (spec->entrypoint == NULL)
        spec->command = image_command(&spec->layers.image, spec->command);
    spec->image = spec->layers.image.id;
    if (spec->stop_signal != 0 || config->stop_signal == NULL || config->stop_signal[0] == '\0')
        return 0;
    spec->stop_signal = signal_number(config->stop_signal);
    if (spec->stop_signal != 0)
        return 0;
    hint("--stop-signal=TERM takes another one instead");
    return refuse("image %s: invalid StopSignal '%.80s'", spec->source, config->stop_signal);
}

static void complete_network(struct spec *spec)
{
    char text[RESOLV_TEXT];

    if (strcmp(spec->network, "none") == 0)
        return;
    if (spec->net.bridge == NULL)
        network_start(&spec->net);
    (void)resolv_compose(spec->net.dns, spec->net.dns_count, text);
    spec->resolv = strdup(text);
    if (spec->resolv == NULL)
        die("strdup");
}

int spec_complete(struct spec *spec)
{
    static char *shell[] = {"/bin/sh", NULL};
    int error = layers_open(&spec->layers, spec->source);

    if (error == 0 && spec->layers.directory == NULL)
        error = complete_from_image(spec);
    if (error != 0)
        return error;
    bool marked = spec->user_namespace || in_user_namespace();
    spec->layers.on_disk =
        spec->layers.directory == NULL && (spec->keep || (marked && !overlay_tmpfs_keeps_marks()));
    if (spec->command == NULL || spec->command[0] == NULL) {
        spec->command = shell;
        streams_check_shell(spec->interactive || spec->terminal || spec->detach || spec->view);
    }
    if (spec->stop_signal == 0)
        spec->stop_signal = SIGTERM;
    complete_network(spec);
    spec->plan.counted = true;
    /* Root makes a group even if nobody has asked for limits. */
    const char *tree = geteuid() == 0 ? tree_top() : NULL;
    spec->grouped = spec->plan.limits.count > 0 || (tree != NULL && access(tree, W_OK) == 0);
    spec->capabilities = capability_chosen(&spec->choice);
    spec->mapped = spec->user_namespace && geteuid() == 0;
    spec->namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWCGROUP;
    spec->namespaces |= spec->user_namespace ? CLONE_NEWUSER : 0;
    spec->namespaces |= strcmp(spec->network, "host") != 0 ? CLONE_NEWNET : 0;
    spec->linked = strcmp(spec->network, "bridge") == 0;
    spec->namespaces |= spec->has_offset ? CLONE_NEWTIME : 0;
    return 0;
}
