#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"

/* The text ends with a zero byte, which is right nowhere: none of these looks beyond it. */
struct reader {
    struct json *json;
    const char *at;
    size_t room;
    int depth;
};

static void skip_space(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

/* Step over TEXT if that is what comes next. */
static bool skip(struct reader *reader, const char *text)
{
    size_t length = strlen(text);

    if (strncmp(reader->at, text, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool skip_digits(struct reader *reader)
{
    size_t digits = strspn(reader->at, "0123456789");

    reader->at += digits;
    return digits > 0;
}

static bool skip_number(struct reader *reader)
{
    (void)skip(reader, "-");
    if (!skip(reader, "0") && !skip_digits(reader)) /* nothing begins with 0 but 0 */
        return false;
    if (skip(reader, ".") && !skip_digits(reader))
        return false;
    if (!skip(reader, "e") && !skip(reader, "E"))
        return true;
    if (!skip(reader, "+"))
        (void)skip(reader, "-");
    return skip_digits(reader);
}

/* How many bytes the UTF-8 character at TEXT has; 0 if it is none. RFC 3629 */
static size_t utf8_length(const char *text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* that takes so many more bytes */
    unsigned char first = (unsigned char)text[0];
    size_t more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t code = more ? first & (0x3fU >> more) : first;

    if ((first >= 0x80 && first < 0xc0) || first >= 0xf8)
        return 0;
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[more] || code > 0x10ffff || surrogate ? 0 : more + 1;
}

/* The number that the \uXXXX at TEXT stands for; -1 if it isn't that. */
static int32_t escaped(const char *text)
{
    char digits[5] = "";

    if (strncmp(text, "\\u", 2) != 0)
        return -1;
    strncpy(digits, text + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int32_t)strtol(digits, NULL, 16) : -1;
}

static void put_utf8(char **to, uint32_t code)
{
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

    *(*to)++ = (char)(more == 0 ? code : (0xff00U >> (more + 1) & 0xff) | code >> 6 * more);
    while (more-- > 0)
        *(*to)++ = (char)(0x80 | (code >> 6 * more & 0x3f));
}

/*
 * The character of a string at FROM, escaped or not, is appended to TO, and takes no more bytes
 * there. Returns how many it has in the string; 0 if it can't stand in one.
 */
static size_t read_character(const char *from, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int32_t code = escaped(from), second;

    if (from[0] != '\\') {
        size_t length = (unsigned char)from[0] < ' ' ? 0 : utf8_length(from);
        *to = (char *)memcpy(*to, from, length) + length;
        return length;
    }
    const char *letter = from[1] ? strchr(letters, from[1]) : NULL;
    if (letter != NULL) {
        *(*to)++ = meanings[letter - letters];
        return 2;
    }
    if (code < 0xd800 || code > 0xdfff) {
        if (code >= 0)
            put_utf8(to, (uint32_t)code);
        return code >= 0 ? 6 : 0;
    }
    second = escaped(from + 6); /* a pair of surrogates is one character */
    if (code > 0xdbff || second < 0xdc00 || second > 0xdfff)
        return 0;
    put_utf8(to, 0x10000U + ((uint32_t)(code - 0xd800) << 10) + (uint32_t)(second - 0xdc00));
    return 12;
}

static bool skip_string(struct reader *reader)
{
    char character[4];

    reader->at++;
    while (*reader->at != '"') {
        char *to = character;
        size_t length = read_character(reader->at, &to);
        if (length == 0)
            return false;
        reader->at += length;
    }
    reader->at++;
    return true;
}

static bool read_value(struct reader *reader);

/* An array, or an object, which has a name and a colon before each value. */
static bool read_list(struct reader *reader, const char *closing)
{
    bool good = reader->depth++ < JSON_DEEPEST, more = true;

    reader->at++;
    skip_space(reader);
    if (good && skip(reader, closing))
        more = false;
    while (good && more) {
        skip_space(reader);
        if (closing[0] == '}')
            good = *reader->at == '"' && read_value(reader) && skip(reader, ":");
        good = good && read_value(reader);
        more = good && skip(reader, ",");
        good = good && (more || skip(reader, closing));
    }
    reader->depth--;
    return good;
}

/* Fill in VALUE's kind, and step over it. */
static bool read_kind(struct reader *reader, enum json_kind *kind)
{
    char first = *reader->at;

    *kind = first == '{'   ? JSON_OBJECT
            : first == '[' ? JSON_ARRAY
            : first == '"' ? JSON_STRING
            : first == 't' ? JSON_TRUE
            : first == 'f' ? JSON_FALSE
            : first == 'n' ? JSON_NULL
                           : JSON_NUMBER;
    switch (*kind) {
    case JSON_OBJECT:
        return read_list(reader, "}");
    case JSON_ARRAY:
        return read_list(reader, "]");
    case JSON_STRING:
        return skip_string(reader);
    case JSON_NUMBER:
        return skip_number(reader);
    default:
        return skip(reader, "true") || skip(reader, "false") || skip(reader, "null");
    }
}

/* One value, with the blanks around it. */
static bool read_value(struct reader *reader)
{
    struct json *json = reader->json;
    size_t index = json->count;
    enum json_kind kind;

    if (index == reader->room) {
        size_t room = reader->room ? 2 * reader->room : 64;
        void *more =
            room > JSON_MOST_VALUES ? NULL : realloc(json->values, room * sizeof(*json->values));
        if (more == NULL)
            return false;
        json->values = more;
        reader->room = room;
    }
    json->count++;
    skip_space(reader);
    const char *start = reader->at;
    if (!read_kind(reader, &kind))
        return false;
    json->values[index] = (struct json_value){.kind = kind,
                                              .start = (size_t)(start - json->text),
                                              .end = (size_t)(reader->at - json->text),
                                              .after = json->count};
    skip_space(reader);
    return true;
}

bool json_read(struct json *json, const char *text, size_t length, size_t *wrong)
{
    struct reader reader = {.json = json, .at = text};

    *json = (struct json){.text = text};
    if (read_value(&reader) && reader.at == text + length)
        return true;
    if (wrong != NULL)
        *wrong = (size_t)(reader.at - text);
    json_free(json);
    return false;
}

void json_free(struct json *json)
{
    free(json->values);
    *json = (struct json){.text = NULL};
}

bool json_is(const struct json *json, size_t index, enum json_kind kind)
{
    return index < json->count && json->values[index].kind == kind;
}

bool json_is_empty(const struct json *json, size_t index)
{
    if (index >= json->count || json->values[index].kind == JSON_NULL)
        return true;
    if (json->values[index].kind == JSON_STRING)
        return json->values[index].end == json->values[index].start + 2;
    return json->values[index].kind >= JSON_ARRAY && json->values[index].after == index + 1;
}

size_t json_first(const struct json *json, size_t array)
{
    return json_is(json, array, JSON_ARRAY) && !json_is_empty(json, array) ? array + 1 : JSON_NONE;
}

size_t json_next(const struct json *json, size_t array, size_t element)
{
    size_t next = json->values[element].after;
    return next < json->values[array].after ? next : JSON_NONE;
}

size_t json_length(const struct json *json, size_t array)
{
    size_t length = 0;
    for (size_t i = json_first(json, array); i != JSON_NONE; i = json_next(json, array, i))
        length++;
    return length;
}

size_t json_member(const struct json *json, size_t object, const char *name)
{
    if (!json_is(json, object, JSON_OBJECT))
        return JSON_NONE;
    for (size_t i = object + 1; i < json->values[object].after; i = json->values[i + 1].after) {
        char *found = json_string(json, i);
        bool same = found != NULL && strcmp(found, name) == 0;
        free(found);
        if (same)
            return i + 1;
    }
    return JSON_NONE;
}

char *json_string(const struct json *json, size_t string)
{
    if (!json_is(json, string, JSON_STRING))
        return NULL;
    const char *from = json->text + json->values[string].start + 1;
    const char *end = json->text + json->values[string].end - 1;
    char *plain = calloc((size_t)(end - from) + 1, 1), *to = plain;
    if (plain == NULL)
        return NULL;
    while (from < end)
        from += read_character(from, &to);
    if (strlen(plain) == (size_t)(to - plain))
        return plain;
    free(plain);
    return NULL;
}

bool json_text(const struct json *json, size_t object, const char *name, char **text)
{
    size_t index = json_member(json, object, name);
    bool empty = json_is_empty(json, index);

    *text = empty ? NULL : json_string(json, index);
    return empty || *text != NULL;
}

char **json_list(const struct json *json, size_t object, const char *name)
{
    size_t index = json_member(json, object, name), count = 0;
    bool single = json_is(json, index, JSON_STRING);
    bool good = single || json_is(json, index, JSON_ARRAY) || json_is_empty(json, index);
    char **list = good ? calloc(json_length(json, index) + 2, sizeof(*list)) : NULL;
    size_t each = single ? index : json_first(json, index);

    while (list != NULL && each != JSON_NONE) {
        list[count] = json_is_empty(json, each) ? strdup("") : json_string(json, each);
        if (list[count++] == NULL) {
            json_list_free(list);
            return NULL;
        }
        each = single ? JSON_NONE : json_next(json, index, each);
    }
    if (count == 1 && list[0][0] == '\0') {
        free(list[0]);
        list[0] = NULL;
    }
    return list;
}

void json_list_free(char **list)
{
    for (char **each = list; each != NULL && *each != NULL; each++)
        free(*each);
    free(list);
}

void json_put(FILE *file, const char *text)
{
    fputc('"', file);
    while (*text != '\0') {
        size_t length = utf8_length(text), control = tool_control(text);
        if (length == 0)
            fputs("\\ufffd", file);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if (control != 0) /* its last byte is its number */
            fprintf(file, "\\u%04x", (unsigned char)text[control - 1]);
        else
            fwrite(text, 1, length, file);
        text += length ? length : 1;
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
