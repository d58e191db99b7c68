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

/*
 * TEXT, which is freed, with another VALUE for the member NAME of its member WITHIN, or if that is
 * NULL of itself; one more member at the end if there is none. NULL if there is no memory.
 */
static char *set_member(char *text, const char *within, const char *name, const char *value)
{
    struct json json = {.count = 0};
    char *changed = NULL;
    int length = -1;

    if (text != NULL && json_read(&json, text, strlen(text), NULL)) {
        size_t object = within ? json_member(&json, 0, within) : 0;
        size_t member = json_member(&json, object, name);
        const struct json_value *old = &json.values[member == JSON_NONE ? object : member];
        if (member == JSON_NONE)
            length = asprintf(&changed, "%.*s,\"%s\":%s%s", (int)old->end - 1, text, name, value,
                              text + old->end - 1);
        else
            length = asprintf(&changed, "%.*s%s%s", (int)old->start, text, value, text + old->end);
    }
    json_free(&json);
    free(text);
    return length == -1 ? NULL : changed;
}

/* The steps that there were, and STEP. */
static char *add_history(char *text, const struct config *config, const char *step)
{
    size_t history = json_member(&config->json, 0, "history");
    bool first = json_length(&config->json, history) == 0;
    const struct json_value *old = &config->json.values[first ? 0 : history];
    char *steps = NULL;

    if (asprintf(&steps, "[%.*s%s%s]", first ? 0 : (int)(old->end - old->start) - 2,
                 config->text + old->start + 1, first ? "" : ",", step) == -1) {
        free(text);
        return NULL;
    }
    text = set_member(text, NULL, "history", steps);
    free(steps);
    return text;
}

char *config_with_layers(const struct config *config, char (*layers)[SHA256_HEX + 1], size_t count,
                         const char *created, const char *history)
{
    char *list = NULL, *text = NULL, quoted[64];
    size_t size;
    FILE *stream = open_memstream(&list, &size);

    for (size_t i = 0; i < count && stream != NULL; i++)
        fprintf(stream, "%s\"sha256:%s\"", i == 0 ? "[" : ",", layers[i]);
    if (stream != NULL && fputc(']', stream) != EOF && fclose(stream) == 0)
        text = set_member(strdup(config->text), "rootfs", "diff_ids", list);
    free(list);
    snprintf(quoted, sizeof(quoted), "\"%s\"", created != NULL ? created : "");
    if (created != NULL)
        text = set_member(text, NULL, "created", quoted);
    if (history != NULL)
        text = add_history(text, config, history);
    if (text == NULL)
        (void)report("configuration");
    return text;
}
