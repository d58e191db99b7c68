/*
 * The configuration of an image: what layers it has, and how its command is to be run. JSON, the
 * same in docker's and in the OCI's images. Its digest is the image's ID.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

#include "json.h"
#include "sha256.h"

/*
 * Lists end with NULL, and are empty where the configuration has none. A field that is missing,
 * null or empty is as good as none: see json_is_empty().
 */
struct config {
    char *text;
    size_t length;
    struct json json;
    char **layers; /* digests of the layers' tars ("diff_ids"), bottom first, without "sha256:" */
    size_t layer_count;
    char **environment;
    char **entrypoint;
    char **command;
    char *directory; /* or NULL, as the following ones */
    char *user;
    char *stop_signal;
    char *created;
};

/*
 * Either side. Take in LENGTH bytes of TEXT, which is to be freed by config_free() from here on,
 * even if this fails. LABEL is what errors begin with. Returns 0, or a negative errno told.
 */
int config_read(struct config *config, char *text, size_t length, const char *label);
void config_free(struct config *config);

/*
 * Either side. The same configuration with other LAYERS, and MORE on top, unless NULL, as of now.
 * The other members are as they were, byte for byte. To be freed.
 */
char *config_with_layers(const struct config *config, char *const *layers, const char *more);

/* Either side. "sha256:" and 64 digits: the digits, or NULL for anything else. */
char *digest_digits(char *digest);

#endif
