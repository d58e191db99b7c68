#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "image.h"
#include "import.h"
#include "pack.h"
#include "store.h"

typedef char digest_text[SHA256_HEX + 1];

static char *make_history(const char *created, const char *made_by)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return NULL;
    fprintf(stream, "{\"created\":\"%s\",\"created_by\":", created);
    json_put(stream, made_by ? made_by : "");
    fprintf(stream, ",\"comment\":\"full commit\"}");
    return fclose(stream) == 0 ? text : NULL;
}

/* Pack the upper layer into a file of the store, then import it as any other. */
static int import_upper(int upper, struct claim *still, struct import *import, digest_text digest)
{
    int file = store_nameless();
    off_t size = file < 0 ? file : pack_layer(upper, file, "the new layer", digest);

    int thawed = claim_end(still);
    import->layers[0] =
        (struct layer){.file = file, .size = size, .label = "the new layer", .tar_digest = digest};
    int error = size < 0 ? (int)size : thawed;
    if (error == 0)
        error = import_unpack(import);
    if (file >= 0)
        close(file);
    return error;
}

static int keep(const struct config *base, struct import *import, const char *name,
                const char *made_by, digest_text id)
{
    digest_text *layers = calloc(base->layer_count + 1, sizeof(*layers));
    char created[32], *text = NULL;
    time_t now = time(NULL);
    struct tm date;

    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &date)); /* RFC 3339 */
    char *history = make_history(created, made_by);
    int error = layers == NULL || history == NULL ? report("commit") : 0;

    for (size_t i = 0; i < base->layer_count && error == 0; i++)
        memcpy(layers[i], base->layers[i], sizeof(*layers));
    if (error == 0) {
        memcpy(layers[base->layer_count], import->layers[0].tar_digest, sizeof(*layers));
        text = config_with_layers(base, layers, base->layer_count + 1, created, history);
        error = text == NULL ? -EIO : 0;
    }
    if (error == 0)
        sha256_of(text, strlen(text), id);
    int lock = error == 0 ? store_lock() : -1;
    if (error == 0)
        error = lock < 0 ? lock : import_keep(import);
    if (error == 0)
        error = store_write("configs", id, text, strlen(text));
    if (error == 0)
        error = store_give_name(name, id);
    store_unlock(lock);
    free(layers);
    free(history);
    free(text);
    return error;
}

int image_commit(const char *base, int upper, struct claim *still, const char *name,
                 const char *made_by, char id[SHA256_HEX + 1])
{
    struct layer layer = {.hold = -1};
    struct import import = {.layers = &layer, .count = 1};
    struct image image;
    digest_text digest;
    char normal[IMAGE_NAME];
    int error = name_normal(name, normal);

    if (error == 0)
        error = image_open(base, &image);
    if (error != 0)
        return error;
    if (image.config.layer_count >= OVERLAY_MOST_LAYERS)
        error = refuse("image %s: has %d layers already, as many as overlay stacks", base,
                       OVERLAY_MOST_LAYERS);
    if (error == 0)
        error = import_upper(upper, still, &import, digest);
    if (error == 0)
        error = keep(&image.config, &import, normal, made_by, id);
    import_end(&import);
    image_close(&image);
    return error;
}
