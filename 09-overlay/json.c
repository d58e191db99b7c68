#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"

enum { MAX_DEPTH = 32 };

static const char blanks[] = " \t\r\n";

/* The text ends with a zero byte, which is right nowhere: none of these looks beyond it. */
struct reader {
    struct json *json;
    const char *at;
    char *string; /* where the next one goes */
    int depth;
};

/* Step over TEXT if that is what comes next. */
static bool skip(struct reader *reader, const char *text)
{
    size_t length = strlen(text);
    bool same = strncmp(reader->at, text, length) == 0;

    reader->at += same ? length : 0;
    return same;
}

static bool skip_any(struct reader *reader, const char *characters)
{
    size_t length = strspn(reader->at, characters);

    reader->at += length;
    return length > 0;
}

static void put_utf8(char **to, uint32_t code)
{
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

    *(*to)++ = (char)(more == 0 ? code : (0xff00U >> (more + 1) & 0xff) | code >> 6 * more);
    while (more-- > 0)
        *(*to)++ = (char)(0x80 | (code >> 6 * more & 0x3f));
}

/* The number that comes next as \uXXXX; -1 if that isn't what does. */
static int32_t skip_escaped(struct reader *reader)
{
    char digits[5] = "";

    if (!skip(reader, "\\u"))
        return -1;
    strncpy(digits, reader->at, 4);
    size_t count = strspn(digits, "0123456789abcdefABCDEF");
    reader->at += count;
    return count == 4 ? (int32_t)strtol(digits, NULL, 16) : -1;
}

/* A backslash, and what it makes of the characters behind it. */
static bool read_escape(struct reader *reader)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = reader->at[1] ? strchr(letters, reader->at[1]) : NULL;

    if (letter != NULL) {
        *reader->string++ = meanings[letter - letters];
        reader->at += 2;
        return true;
    }
    int32_t code = skip_escaped(reader);
    if (code >= 0xd800 && code <= 0xdfff) { /* a pair of surrogates is one character */
        int32_t low = skip_escaped(reader);
        bool pair = code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
        code = pair ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (code >= 0)
        put_utf8(&reader->string, (uint32_t)code);
    return code >= 0;
}

static bool read_string(struct reader *reader, struct json_value *value)
{
    char *string = reader->string;
    bool good = true;

    for (reader->at++; good && *reader->at != '"'; value->size++) {
        if (*reader->at == '\\')
            good = read_escape(reader);
        else if ((good = (unsigned char)*reader->at >= ' '))
            *reader->string++ = *reader->at++;
    }
    *reader->string++ = '\0';
    value->string = strlen(string) + 1 == (size_t)(reader->string - string) ? string : NULL;
    return good && skip(reader, "\"");
}

static bool read_value(struct reader *reader);

/* The elements of an array, or of an object, which has a name and a colon before each value. */
static bool read_list(struct reader *reader, struct json_value *value, const char *closing)
{
    struct json *json = reader->json;
    bool good = true;

    reader->at++;
    skip_any(reader, blanks);
    if (skip(reader, closing))
        return true;
    do {
        size_t name = json->count;
        if (value->kind == '{')
            good = read_value(reader) && json_is(json, name, '"') && skip(reader, ":");
        good = good && read_value(reader);
        value->size++;
    } while (good && skip(reader, ","));
    return good && skip(reader, closing);
}

static bool read_kind(struct reader *reader, struct json_value *value)
{
    switch (value->kind) {
    case '{':
        return read_list(reader, value, "}");
    case '[':
        return read_list(reader, value, "]");
    case '"':
        return read_string(reader, value);
    case 'n':
        return skip(reader, "null");
    default:
        value->size = 1; /* a number is only looked at if somebody asks for it */
        return skip(reader, "true") || skip(reader, "false") || skip_any(reader, "+-.0123456789eE");
    }
}

/* One value, with the blanks around it. */
static bool read_value(struct reader *reader)
{
    struct json *json = reader->json;
    struct json_value *value = &json->values[json->count++];

    skip_any(reader, blanks);
    char first = *reader->at;
    char kind = first && strchr("{[\"tfn", first) ? first : '0';
    *value = (struct json_value){.kind = kind, .start = (uint32_t)(reader->at - json->text)};
    if (reader->depth++ == MAX_DEPTH || !read_kind(reader, value))
        return false;
    reader->depth--;
    value->end = (uint32_t)(reader->at - json->text);
    value->after = (uint32_t)json->count;
    skip_any(reader, blanks);
    return true;
}

bool json_read(struct json *json, const char *text, size_t length)
{
    size_t count = 1; /* at most: each value but the first has one of these in front */

    for (size_t i = 0; i < length; i++)
        count += strchr("[{:,", text[i]) != NULL && text[i] != '\0';
    *json = (struct json){.text = text,
                          .values = malloc(count * sizeof(*json->values)),
                          .strings = malloc(length + 1)};
    struct reader reader = {.json = json, .at = text, .string = json->strings};

    return json->values != NULL && json->strings != NULL && read_value(&reader) &&
           reader.at == text + length;
}

bool json_is(const struct json *json, size_t index, char kind)
{
    return index < json->count && json->values[index].kind == kind;
}

bool json_is_empty(const struct json *json, size_t index)
{
    return index >= json->count || json->values[index].size == 0;
}

size_t json_length(const struct json *json, size_t array)
{
    return json_is(json, array, '[') ? json->values[array].size : 0;
}

size_t json_next(const struct json *json, size_t array, size_t element)
{
    if (json_length(json, array) == 0)
        return JSON_NONE;
    size_t next = element == JSON_NONE ? array + 1 : json->values[element].after;
    return next < json->values[array].after ? next : JSON_NONE;
}

size_t json_member(const struct json *json, size_t object, const char *name)
{
    const struct json_value *values = json->values;

    if (!json_is(json, object, '{'))
        return JSON_NONE;
    for (size_t i = object + 1; i < values[object].after; i = values[i + 1].after)
        if (values[i].string != NULL && strcmp(values[i].string, name) == 0)
            return i + 1;
    return JSON_NONE;
}

char *json_text(const struct json *json, size_t index)
{
    return index < json->count ? json->values[index].string : NULL;
}

char **json_list(const struct json *json, size_t object, const char *name)
{
    static char nothing[] = "";
    size_t index = json_member(json, object, name), count = 0;
    bool single = json_is(json, index, '"');

    if (!single && !json_is(json, index, '[') && !json_is_empty(json, index))
        return NULL;
    char **list = calloc(json_length(json, index) + 3, sizeof(*list)); /* one, one more, NULL */
    size_t each = single ? index : json_next(json, index, JSON_NONE);
    while (list != NULL && each != JSON_NONE) {
        list[count] = json_is_empty(json, each) ? nothing : json_text(json, each);
        if (list[count++] == NULL)
            return NULL;
        each = single ? JSON_NONE : json_next(json, index, each);
    }
    if (count == 1 && list[0][0] == '\0')
        list[0] = NULL;
    return list;
}

void json_put(FILE *file, const char *text)
{
    fputc('"', file);
    for (size_t length; *text != '\0'; text += length) {
        size_t control = tool_control(text);
        length = control != 0 ? control : 1;
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if (control != 0) /* its last byte is its number */
            fprintf(file, "\\u%04x", (unsigned char)text[control - 1]);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

void json_put_list(FILE *file, char *const *list)
{
    fputc('[', file);
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        fputs(i > 0 ? ", " : "", file);
        json_put(file, list[i]);
    }
    fputc(']', file);
}
