/*
 * JSON (RFC 8259), as far as images and the states of boxes need it: a reader that makes an array
 * of values, questions about them, and a writer for strings.
 *
 * Images come from strangers: nothing is read beyond the text, and nesting has a limit. Bytes that
 * aren't UTF-8 are passed on as they are, since commands and paths may hold any.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* In an object, each member is a string, its name, followed by its value. */
struct json_value {
    char kind;     /* what it begins with: { [ " t f n, or 0 for any number */
    char *string;  /* without its escapes; NULL for other kinds, and if a zero byte is in it */
    uint32_t size; /* characters, elements or members; null 0, a number, true, false 1 */
    uint32_t start, end; /* its first byte in the text and the one behind its last */
    uint32_t after;      /* index of the value that follows it and all that is in it */
};

/* Value 0 is the outermost one. The places are in TEXT, which belongs to the caller. */
struct json {
    const char *text;
    struct json_value *values;
    char *strings; /* the bytes of all strings */
    size_t count;
};

/*
 * Either side. Read LENGTH bytes of TEXT, less than 4 GiB, behind which stands a zero byte. True if
 * they are one JSON value and nothing else. What is allocated is the caller's.
 */
bool json_read(struct json *json, const char *text, size_t length);

/*
 * Either side. The value of the member NAME of the object at index OBJECT; the element of an array
 * behind ELEMENT, JSON_NONE for the first one. JSON_NONE if there is none, or if what the index
 * names is of another kind (JSON_NONE too), so that questions can be put one into the other.
 */
#define JSON_NONE ((size_t)-1)
size_t json_member(const struct json *json, size_t object, const char *name);
size_t json_next(const struct json *json, size_t array, size_t element);

/* Either side. The number of elements of an array; 0 for anything else. */
size_t json_length(const struct json *json, size_t array);

/* Either side. Is the value at INDEX, which may be JSON_NONE, of KIND? A string is of '"'. */
bool json_is(const struct json *json, size_t index, char kind);

/*
 * Either side. Does INDEX say nothing? So do JSON_NONE, null, and a string, array or object that is
 * empty: writers of images differ in which of these they leave where a field has no value.
 */
bool json_is_empty(const struct json *json, size_t index);

/* Either side. The string at INDEX, which lives as long as JSON; NULL if it isn't one. */
char *json_text(const struct json *json, size_t index);

/* Either side. The member NAME of OBJECT as a list of strings, or one string in its place. Ends
 * with NULL, with room for one more; is empty if the member, or the only string in it, says
 * nothing. NULL if it is something else. The strings are JSON's. */
char **json_list(const struct json *json, size_t object, const char *name);

/* Either side. Write TEXT as a string, quotes and all, or LIST, which ends with NULL or is NULL, as
 * an array of strings. Control characters are escaped: a terminal would obey them. */
void json_put(FILE *file, const char *text);
void json_put_list(FILE *file, char *const *list);

#endif
