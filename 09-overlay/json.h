/*
 * JSON (RFC 8259), for the manifests and configurations of images and for --json: a small strict
 * reader and a writer of strings.
 *
 * Images come from strangers: what isn't JSON is refused whole, nothing is read beyond the text,
 * and nesting has a limit. A value keeps its place in the text, so that a part can be replaced and
 * the rest stay as it was, byte for byte.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { JSON_DEEPEST = 32, JSON_MOST_VALUES = 1 << 20 };

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* In an object, each member is a string, its name, followed by its value. */
struct json_value {
    enum json_kind kind;
    size_t start, end; /* its first byte in the text and the one behind its last */
    size_t after;      /* index of the value that follows it and all that is in it */
};

/* Value 0 is the outermost one. TEXT belongs to the caller, and has to live as long. */
struct json {
    const char *text;
    struct json_value *values;
    size_t count;
};

/*
 * Either side. Read LENGTH bytes of TEXT, behind which stands a zero byte. True if they are one
 * JSON value and nothing else; the caller then frees it with json_free(). Otherwise WRONG, unless
 * NULL, gets the place of the first byte that can't be right.
 */
bool json_read(struct json *json, const char *text, size_t length, size_t *wrong);
void json_free(struct json *json);

/*
 * Either side. The value of the member NAME of the object at index OBJECT, the first or the next
 * element of an array; JSON_NONE if there is none, or if what the index names is of another kind
 * (JSON_NONE too), so that questions can be put one into the other.
 */
#define JSON_NONE ((size_t)-1)
size_t json_member(const struct json *json, size_t object, const char *name);
size_t json_first(const struct json *json, size_t array);
size_t json_next(const struct json *json, size_t array, size_t element);

/* Either side. The number of elements of an array; 0 for anything else. */
size_t json_length(const struct json *json, size_t array);

/* Either side. Is the value at INDEX, which may be JSON_NONE, of KIND? */
bool json_is(const struct json *json, size_t index, enum json_kind kind);

/*
 * Either side. Does INDEX say nothing? So do JSON_NONE, null, and a string, array or object that is
 * empty: writers of images differ in which of these they leave where a field has no value.
 */
bool json_is_empty(const struct json *json, size_t index);

/*
 * Either side. The text of the member NAME of OBJECT into TEXT, to be freed: NULL if it says
 * nothing. False if it says something else than a text.
 */
bool json_text(const struct json *json, size_t object, const char *name, char **text);

/*
 * Either side. The same for a list of strings, or one string in its place. Ends with NULL, is empty
 * if the member, or the only string in it, says nothing; to be freed by json_list_free(). NULL if
 * it is something else.
 */
char **json_list(const struct json *json, size_t object, const char *name);
void json_list_free(char **list);

/*
 * Either side. The text of a string without its escapes, to be freed; NULL if the index names none,
 * or one that has a zero byte in it, which no C string can hold.
 */
char *json_string(const struct json *json, size_t string);

/*
 * Either side. Write TEXT as a string, quotes and all. Control characters are escaped, as a
 * terminal would obey them, and bytes that aren't UTF-8 become U+FFFD.
 */
void json_put(FILE *file, const char *text);

/* Either side. The same for LIST, which ends with NULL, or is NULL: an array of strings. */
void json_put_list(FILE *file, char *const *list);

#endif
