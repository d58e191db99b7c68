#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"

const char *digest_digits(const char *digest)
{
    static const char start[] = "sha256:";

    if (digest == NULL || strncmp(digest, start, strlen(start)) != 0)
        return NULL;
    digest += strlen(start);
    return sha256_is_hex(digest, '\0') ? digest : NULL;
}

static size_t layers_of(const struct config *config)
{
    return json_member(&config->json, json_member(&config->json, 0, "rootfs"), "diff_ids");
}

static int read_layers(struct config *config, const char *label)
{
    const struct json *json = &config->json;
    char **digests = json_list(json, json_member(json, 0, "rootfs"), "diff_ids");

    if (digests == NULL || digests[0] == NULL) {
        json_list_free(digests);
        return refuse("%s: its configuration names no layers (rootfs.diff_ids)", label);
    }
    config->layers = digests;
    for (; digests[config->layer_count] != NULL; config->layer_count++) {
        char *digest = digests[config->layer_count];
        const char *digits = digest_digits(digest);
        if (digits == NULL)
            return refuse("%s: '%.80s' is not the sha256 digest of a layer", label, digest);
        memmove(digest, digits, SHA256_HEX + 1);
    }
    return 0;
}

/* The steps are only shown, but have to be what they are shown as. */
static int check_history(const struct json *json, const char *label)
{
    size_t history = json_member(json, 0, "history");
    bool good = json_is(json, history, JSON_ARRAY) || json_is_empty(json, history);

    for (size_t i = json_first(json, history); i != JSON_NONE && good;
         i = json_next(json, history, i)) {
        size_t empty = json_member(json, i, "empty_layer");
        char *created = NULL, *made_by = NULL;
        good = (json_is(json, i, JSON_OBJECT) || json_is_empty(json, i)) &&
               (json_is(json, empty, JSON_TRUE) || json_is(json, empty, JSON_FALSE) ||
                json_is_empty(json, empty)) &&
               json_text(json, i, "created", &created) &&
               json_text(json, i, "created_by", &made_by);
        free(created);
        free(made_by);
    }
    return good ? 0 : refuse("%s: history in its configuration is not a list of steps", label);
}

static int read_fields(struct config *config, const char *label)
{
    const struct json *json = &config->json;
    size_t inner = json_member(json, 0, "config");
    const struct {
        const char *name;
        char ***list;
    } lists[] = {{"Env", &config->environment},
                 {"Entrypoint", &config->entrypoint},
                 {"Cmd", &config->command}};
    const struct {
        size_t object;
        const char *name;
        char **text;
    } texts[] = {{inner, "WorkingDir", &config->directory},
                 {inner, "User", &config->user},
                 {inner, "StopSignal", &config->stop_signal},
                 {0, "created", &config->created}};

    if (!json_is(json, inner, JSON_OBJECT) && !json_is_empty(json, inner))
        return refuse("%s: config in its configuration is not an object", label);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if ((*lists[i].list = json_list(json, inner, lists[i].name)) == NULL)
            return refuse("%s: %s in its configuration is not a list of strings", label,
                          lists[i].name);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!json_text(json, texts[i].object, texts[i].name, texts[i].text))
            return refuse("%s: %s in its configuration is not a string", label, texts[i].name);
    return check_history(json, label);
}

int config_read(struct config *config, char *text, size_t length, const char *label)
{
    size_t wrong;

    *config = (struct config){.text = text, .length = length};
    if (!json_read(&config->json, text, length, &wrong))
        return refuse("%s: its configuration is not JSON from byte %zu on", label, wrong);
    int error = read_fields(config, label);
    return error != 0 ? error : read_layers(config, label);
}

void config_free(struct config *config)
{
    json_free(&config->json);
    free(config->text);
    json_list_free(config->layers);
    json_list_free(config->environment);
    json_list_free(config->entrypoint);
    json_list_free(config->command);
    free(config->directory);
    free(config->user);
    free(config->stop_signal);
    free(config->created);
    *config = (struct config){.text = NULL};
}

/* The text from START to END gives way to TEXT, which is allocated. */
struct change {
    size_t start, end;
    char *text; /* NULL: no memory */
};

/* Another VALUE for the outermost member NAME; one more at the end if there is none. */
static struct change set_member(const struct json *json, const char *name, const char *value)
{
    size_t member = json_member(json, 0, name), end = json->values[0].end - 1;
    struct change change = {end, end, NULL};

    if (member != JSON_NONE)
        change =
            (struct change){json->values[member].start, json->values[member].end, strdup(value)};
    else if (asprintf(&change.text, ",\"%s\":%s", name, value) == -1)
        change.text = NULL;
    return change;
}

/* One more element at the end of the array; an array in place of null or the like. */
static struct change add_history(const struct json *json, const char *history)
{
    size_t array = json_member(json, 0, "history");
    bool first = json_length(json, array) == 0;
    struct change change = {0, 0, NULL};
    char *list = NULL;

    if (array == JSON_NONE || json->values[array].kind != JSON_ARRAY) {
        if (asprintf(&list, "[%s]", history) == -1)
            return change;
        change = set_member(json, "history", list);
        free(list);
        return change;
    }
    change.start = change.end = json->values[array].end - 1;
    if (asprintf(&change.text, "%s%s", first ? "" : ",", history) == -1)
        change.text = NULL;
    return change;
}

static struct change set_layers(const struct config *config, char (*layers)[SHA256_HEX + 1],
                                size_t count)
{
    const struct json_value *array = &config->json.values[layers_of(config)];
    struct change change = {array->start, array->end, NULL};
    size_t size;
    FILE *stream = open_memstream(&change.text, &size);

    if (stream == NULL)
        return change;
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s\"sha256:%s\"", i == 0 ? "[" : ",", layers[i]);
    fputc(']', stream);
    if (fclose(stream) != 0) {
        free(change.text);
        change.text = NULL;
    }
    return change;
}

static int by_place(const void *a, const void *b)
{
    const struct change *one = a, *other = b;
    return one->start < other->start ? -1 : one->start > other->start;
}

/* The configuration with its changes, whose texts are freed; NULL if there is no memory. */
static char *apply(const struct config *config, struct change *changes, size_t count)
{
    char *text = NULL;
    size_t size, at = 0;
    FILE *stream = open_memstream(&text, &size);
    bool good = stream != NULL;

    qsort(changes, count, sizeof(*changes), by_place);
    for (size_t i = 0; i < count; at = changes[i++].end) {
        good = good && changes[i].text != NULL;
        if (good)
            fprintf(stream, "%.*s%s", (int)(changes[i].start - at), config->text + at,
                    changes[i].text);
        free(changes[i].text);
    }
    if (good)
        fwrite(config->text + at, 1, config->length - at, stream);
    if (stream != NULL && fclose(stream) == 0 && good)
        return text;
    free(text);
    return NULL;
}

char *config_with_layers(const struct config *config, char (*layers)[SHA256_HEX + 1], size_t count,
                         const char *created, const char *history)
{
    struct change changes[3] = {set_layers(config, layers, count)};
    size_t change_count = 1;
    char quoted[64];

    snprintf(quoted, sizeof(quoted), "\"%s\"", created != NULL ? created : "");
    if (created != NULL)
        changes[change_count++] = set_member(&config->json, "created", quoted);
    if (history != NULL)
        changes[change_count++] = add_history(&config->json, history);
    char *text = apply(config, changes, change_count);
    if (text == NULL)
        (void)report("configuration");
    return text;
}
