#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../01-chroot/tool.h"

char *digest_digits(char *digest)
{
    bool good = digest != NULL && strncmp(digest, "sha256:", 7) == 0;

    return good && sha256_is_hex(digest + 7, '\0') ? digest + 7 : NULL;
}

static int read_layers(struct config *config, const char *label)
{
    const struct json *json = &config->json;
    char **layers = config->layers = json_list(json, json_member(json, 0, "rootfs"), "diff_ids");
    size_t count = 0;

    for (; layers != NULL && layers[count] != NULL; count++) {
        char *digits = digest_digits(layers[count]);
        /* The text itself must have them, without escapes: store_collect() looks for them there. */
        if (digits == NULL || strstr(config->text, digits) == NULL)
            return refuse("%s: '%.80s' is not the sha256 digest of a layer", label, layers[count]);
        layers[count] = digits;
    }
    config->layer_count = count;
    return count > 0 ? 0 : refuse("%s: its configuration names no layers (rootfs.diff_ids)", label);
}

static int read_fields(struct config *config, const char *label)
{
    const struct json *json = &config->json;
    size_t inner = json_member(json, 0, "config");
    const struct {
        size_t object;
        const char *name;
        char **text, ***list;
    } fields[] = {{inner, "Env", NULL, &config->environment},
                  {inner, "Entrypoint", NULL, &config->entrypoint},
                  {inner, "Cmd", NULL, &config->command},
                  {inner, "WorkingDir", &config->directory, NULL},
                  {inner, "User", &config->user, NULL},
                  {inner, "StopSignal", &config->stop_signal, NULL},
                  {0, "created", &config->created, NULL}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        size_t value = json_member(json, fields[i].object, fields[i].name);
        bool good = true;
        if (fields[i].list != NULL)
            good = (*fields[i].list = json_list(json, fields[i].object, fields[i].name)) != NULL;
        else if (!json_is_empty(json, value))
            good = (*fields[i].text = json_text(json, value)) != NULL;
        if (!good)
            return refuse("%s: %s in its configuration is not a %s", label, fields[i].name,
                          fields[i].list ? "list of strings" : "string");
    }
    return 0;
}

int config_read(struct config *config, char *text, size_t length, const char *label)
{
    *config = (struct config){.text = text, .length = length};
    if (!json_read(&config->json, text, length))
        return refuse("%s: its configuration is not JSON", label);
    int error = read_fields(config, label);
    return error != 0 ? error : read_layers(config, label);
}

/* Written member by member: those that change come last. */
char *config_write(const struct config *config, bool now)
{
    const struct json_value *values = config->json.values;
    char *text = NULL, created[32];
    time_t seconds = time(NULL);
    struct tm date;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        die("configuration");
    fputc('{', stream);
    for (size_t i = 1; i < values[0].after; i = values[i + 1].after) {
        const char *name = values[i].string != NULL ? values[i].string : "";
        if (strcmp(name, "rootfs") != 0 && (!now || strcmp(name, "created") != 0))
            fprintf(stream, "%.*s,", (int)(values[i + 1].end - values[i].start),
                    config->text + values[i].start);
    }
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ",
             gmtime_r(&seconds, &date)); /* RFC 3339 */
    if (now)
        fprintf(stream, "\"created\":\"%s\",", created);
    fprintf(stream, "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
    for (size_t i = 0; config->layers[i] != NULL; i++)
        fprintf(stream, "%s\"sha256:%s\"", i > 0 ? "," : "", config->layers[i]);
    fprintf(stream, "]}}");
    if (fclose(stream) != 0)
        die("configuration");
    return text;
}
