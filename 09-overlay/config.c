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

static void free_list(char **list)
{
    for (char **each = list; each != NULL && *each != NULL; each++)
        free(*each);
    free(list);
}

/*
 * An array of strings, or in old images one string. Empty if there is none, or null in its place;
 * NULL if it is something else.
 */
static char **read_list(const struct json *json, size_t index)
{
    enum json_kind kind = index == JSON_NONE ? JSON_NULL : json->values[index].kind;
    size_t length = json_length(json, index), count = 0;
    bool good = kind == JSON_NULL || kind == JSON_ARRAY || kind == JSON_STRING;
    char **list = good ? calloc(length + 2, sizeof(*list)) : NULL;

    if (list == NULL)
        return NULL;
    if (kind == JSON_STRING)
        list[count++] = json_string(json, index);
    for (size_t i = json_first(json, index); i != JSON_NONE; i = json_next(json, index, i)) {
        list[count] = json_string(json, i);
        if (list[count++] == NULL) {
            free_list(list);
            return NULL;
        }
    }
    return list;
}

static size_t layers_of(const struct config *config)
{
    return json_member(&config->json, json_member(&config->json, 0, "rootfs"), "diff_ids");
}

static int read_layers(struct config *config, const char *label)
{
    size_t diff_ids = layers_of(config);
    char **digests = read_list(&config->json, diff_ids);

    if (diff_ids == JSON_NONE || digests == NULL || digests[0] == NULL) {
        free_list(digests);
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

int config_read(struct config *config, char *text, size_t length, const char *label)
{
    char problem[128];

    *config = (struct config){.text = text, .length = length};
    if (!json_read(&config->json, text, length, problem))
        return refuse("%s: its configuration is not JSON: %s", label, problem);
    const struct json *json = &config->json;
    size_t inner = json_member(json, 0, "config");
    config->environment = read_list(json, json_member(json, inner, "Env"));
    config->entrypoint = read_list(json, json_member(json, inner, "Entrypoint"));
    config->command = read_list(json, json_member(json, inner, "Cmd"));
    config->directory = json_string(json, json_member(json, inner, "WorkingDir"));
    config->user = json_string(json, json_member(json, inner, "User"));
    config->created = json_string(json, json_member(json, 0, "created"));
    if (config->environment == NULL || config->entrypoint == NULL || config->command == NULL)
        return refuse("%s: Env, Entrypoint or Cmd in its configuration is not a list of strings",
                      label);
    return read_layers(config, label);
}

void config_free(struct config *config)
{
    json_free(&config->json);
    free(config->text);
    free_list(config->layers);
    free_list(config->environment);
    free_list(config->entrypoint);
    free_list(config->command);
    free(config->directory);
    free(config->user);
    free(config->created);
    *config = (struct config){.text = NULL};
}

/* Write to STREAM what the text has from *AT up to END. */
static void copy_until(FILE *stream, const struct config *config, size_t *at, size_t end)
{
    fwrite(config->text + *at, 1, end - *at, stream);
    *at = end;
}

/*
 * One more element before the closing bracket of the array; an array in place of null or the like;
 * a whole member at the end if there is none.
 */
static void add_history(FILE *stream, const struct config *config, size_t *at, const char *history)
{
    const struct json_value *values = config->json.values;
    size_t array = json_member(&config->json, 0, "history");

    if (array == JSON_NONE) {
        copy_until(stream, config, at, values[0].end - 1);
        fprintf(stream, ",\"history\":[%s]", history);
    } else if (values[array].kind == JSON_ARRAY) {
        copy_until(stream, config, at, values[array].end - 1);
        fprintf(stream, "%s%s", json_length(&config->json, array) > 0 ? "," : "", history);
    } else {
        copy_until(stream, config, at, values[array].start);
        fprintf(stream, "[%s]", history);
        *at = values[array].end;
    }
}

static void put_layers(FILE *stream, const struct config *config, size_t *at,
                       char (*layers)[SHA256_HEX + 1], size_t count)
{
    const struct json_value *array = &config->json.values[layers_of(config)];

    copy_until(stream, config, at, array->start);
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s\"sha256:%s\"", i == 0 ? "[" : ",", layers[i]);
    fputc(']', stream);
    *at = array->end;
}

char *config_with_layers(const struct config *config, char (*layers)[SHA256_HEX + 1], size_t count,
                         const char *history)
{
    size_t array = json_member(&config->json, 0, "history"), at = 0, size;
    bool history_first = array != JSON_NONE && array < layers_of(config);
    char *text = NULL;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL) {
        (void)report("configuration");
        return NULL;
    }
    if (history != NULL && history_first)
        add_history(stream, config, &at, history);
    put_layers(stream, config, &at, layers, count);
    if (history != NULL && !history_first)
        add_history(stream, config, &at, history);
    copy_until(stream, config, &at, config->length);
    if (fclose(stream) != 0) {
        (void)report("configuration");
        return NULL;
    }
    return text;
}
