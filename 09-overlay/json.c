#include "json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct json *json;
    size_t at, length, room;
    int depth;
    const char *problem;
};

static bool wrong(struct reader *reader, const char *problem)
{
    reader->problem = problem;
    return false;
}

/* The next byte; '\0', which is never right outside a string, at the end. */
static char peek(const struct reader *reader)
{
    return reader->at < reader->length ? reader->json->text[reader->at] : '\0';
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->length && memchr(" \t\r\n", peek(reader), 4) != NULL)
        reader->at++;
}

static bool add_value(struct reader *reader, enum json_kind kind)
{
    struct json *json = reader->json;

    if (json->count == JSON_MOST_VALUES)
        return wrong(reader, "too many values");
    if (json->count == reader->room) {
        size_t room = reader->room ? 2 * reader->room : 64;
        struct json_value *more = realloc(json->values, room * sizeof(*more));
        if (more == NULL)
            return wrong(reader, "out of memory");
        json->values = more;
        reader->room = room;
    }
    json->values[json->count] = (struct json_value){.kind = kind, .start = reader->at};
    json->count++;
    return true;
}

static bool end_value(struct reader *reader, size_t index)
{
    reader->json->values[index].end = reader->at;
    reader->json->values[index].after = reader->json->count;
    return true;
}

static int hex_digit(char byte)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF", *found;
    return byte != '\0' && (found = strchr(digits, byte)) != NULL ? (int)(found - digits) % 16 : -1;
}

/* The four digits of \uXXXX; -1 if they are not that. */
static int32_t four_digits(const char *text, size_t length)
{
    int32_t code = 0;
    if (length < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

size_t json_utf8_length(const char *characters, size_t length)
{
    const unsigned char *text = (const unsigned char *)characters;
    size_t size = text[0] < 0x80   ? 1
                  : text[0] < 0xc2 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf5 ? 4
                                   : 0;
    if (size > length)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if (size < 3)
        return size;
    unsigned second = text[1];
    bool overlong = (text[0] == 0xe0 && second < 0xa0) || (text[0] == 0xf0 && second < 0x90);
    bool surrogate = text[0] == 0xed && second > 0x9f;
    bool beyond = text[0] == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : size;
}

static bool read_escape(struct reader *reader)
{
    const char *text = reader->json->text + reader->at;
    size_t left = reader->length - reader->at;

    if (left < 2)
        return wrong(reader, "a string without an end");
    if (text[1] != 'u') {
        if (text[1] == '\0' || strchr("\"\\/bfnrt", text[1]) == NULL)
            return wrong(reader, "an unknown escape");
        reader->at += 2;
        return true;
    }
    int32_t code = four_digits(text + 2, left - 2);
    if (code < 0)
        return wrong(reader, "\\u without four digits");
    reader->at += 6;
    if (code >= 0xdc00 && code <= 0xdfff)
        return wrong(reader, "half a surrogate pair");
    if (code < 0xd800 || code > 0xdbff)
        return true;
    bool paired = left >= 12 && text[6] == '\\' && text[7] == 'u';
    int32_t second = paired ? four_digits(text + 8, left - 8) : -1;
    if (second < 0xdc00 || second > 0xdfff)
        return wrong(reader, "half a surrogate pair");
    reader->at += 6;
    return true;
}

static bool read_string(struct reader *reader)
{
    size_t index = reader->json->count;

    if (peek(reader) != '"')
        return wrong(reader, "a string was expected");
    if (!add_value(reader, JSON_STRING))
        return false;
    for (reader->at++; peek(reader) != '"';) {
        const char *text = reader->json->text + reader->at;
        if (reader->at >= reader->length)
            return wrong(reader, "a string without an end");
        if ((unsigned char)text[0] < ' ')
            return wrong(reader, "a control character in a string");
        if (text[0] == '\\') {
            if (!read_escape(reader))
                return false;
            continue;
        }
        size_t size = json_utf8_length(text, reader->length - reader->at);
        if (size == 0)
            return wrong(reader, "bytes that are not UTF-8");
        reader->at += size;
    }
    reader->at++;
    return end_value(reader, index);
}

static size_t skip_digits(struct reader *reader)
{
    size_t start = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at - start;
}

static bool read_number(struct reader *reader)
{
    size_t index = reader->json->count;

    if (!add_value(reader, JSON_NUMBER))
        return false;
    reader->at += peek(reader) == '-';
    bool zero = peek(reader) == '0';
    size_t digits = skip_digits(reader);
    if (digits == 0 || (zero && digits > 1))
        return wrong(reader, "not a value");
    if (peek(reader) == '.') {
        reader->at++;
        if (skip_digits(reader) == 0)
            return wrong(reader, "a number without digits behind its point");
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        reader->at += peek(reader) == '+' || peek(reader) == '-';
        if (skip_digits(reader) == 0)
            return wrong(reader, "a number without an exponent");
    }
    return end_value(reader, index);
}

static bool read_word(struct reader *reader, const char *word, enum json_kind kind)
{
    size_t index = reader->json->count, length = strlen(word);

    if (reader->length - reader->at < length ||
        memcmp(reader->json->text + reader->at, word, length) != 0)
        return wrong(reader, "not a value");
    if (!add_value(reader, kind))
        return false;
    reader->at += length;
    return end_value(reader, index);
}

static bool read_value(struct reader *reader);

/* An array, or an object, which has a name and a colon before each value. */
static bool read_list(struct reader *reader, enum json_kind kind)
{
    char closing = kind == JSON_OBJECT ? '}' : ']';
    size_t index = reader->json->count;

    if (reader->depth == JSON_DEEPEST)
        return wrong(reader, "nested too deeply");
    if (!add_value(reader, kind))
        return false;
    reader->depth++;
    reader->at++;
    skip_space(reader);
    bool empty = peek(reader) == closing;
    while (!empty) {
        if (kind == JSON_OBJECT) {
            skip_space(reader);
            if (!read_string(reader))
                return false;
            skip_space(reader);
            if (peek(reader) != ':')
                return wrong(reader, "a colon was expected");
            reader->at++;
        }
        if (!read_value(reader))
            return false;
        if (peek(reader) != ',')
            break;
        reader->at++;
    }
    if (peek(reader) != closing)
        return wrong(reader, "a comma or the end of a list was expected");
    reader->at++;
    reader->depth--;
    return end_value(reader, index);
}

static bool read_value(struct reader *reader)
{
    bool good;

    skip_space(reader);
    switch (peek(reader)) {
    case '{':
        good = read_list(reader, JSON_OBJECT);
        break;
    case '[':
        good = read_list(reader, JSON_ARRAY);
        break;
    case '"':
        good = read_string(reader);
        break;
    case 't':
        good = read_word(reader, "true", JSON_TRUE);
        break;
    case 'f':
        good = read_word(reader, "false", JSON_FALSE);
        break;
    case 'n':
        good = read_word(reader, "null", JSON_NULL);
        break;
    default:
        good = read_number(reader);
    }
    if (good)
        skip_space(reader);
    return good;
}

bool json_read(struct json *json, const char *text, size_t length, char problem[128])
{
    struct reader reader = {.json = json, .length = length};

    *json = (struct json){.text = text};
    if (read_value(&reader) && (reader.at == length || wrong(&reader, "more than one value")))
        return true;
    if (problem != NULL)
        snprintf(problem, 128, "%s, at byte %zu", reader.problem, reader.at);
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
    if (!json_is(json, array, JSON_ARRAY) || json->values[array].after == array + 1)
        return JSON_NONE;
    return array + 1;
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

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

/* One escape, known to be well formed, from FROM to TO; both move on. */
static void unescape(const char **from, char **to)
{
    const char *letters = "\"\\/bfnrt", *meanings = "\"\\/\b\f\n\r\t";

    if ((*from)[1] != 'u') {
        *(*to)++ = meanings[strchr(letters, (*from)[1]) - letters];
        *from += 2;
        return;
    }
    uint32_t code = (uint32_t)four_digits(*from + 2, 4);
    *from += 6;
    if (code >= 0xd800 && code <= 0xdbff) {
        uint32_t second = (uint32_t)four_digits(*from + 2, 4);
        code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
        *from += 6;
    }
    *to = put_utf8(*to, code);
}

char *json_string(const struct json *json, size_t string)
{
    if (!json_is(json, string, JSON_STRING))
        return NULL;
    const char *from = json->text + json->values[string].start + 1;
    const char *end = json->text + json->values[string].end - 1;
    char *plain = malloc((size_t)(end - from) + 1), *to = plain; /* escapes only get shorter */
    if (plain == NULL)
        return NULL;
    while (from < end)
        if (*from == '\\')
            unescape(&from, &to);
        else
            *to++ = *from++;
    *to = '\0';
    if (memchr(plain, '\0', (size_t)(to - plain)) != NULL) {
        free(plain);
        return NULL;
    }
    return plain;
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
        size_t length = json_utf8_length(text, strnlen(text, 4));
        unsigned first = (unsigned char)text[0], second = (unsigned char)text[first != 0];
        if (length == 0)
            fputs("\\ufffd", file);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if (first < ' ' || first == 0x7f || (first == 0xc2 && second < 0xa0))
            fprintf(file, "\\u%04x", length == 1 ? first : second); /* a terminal would obey */
        else
            fwrite(text, 1, length, file);
        text += length ? length : 1;
    }
    fputc('"', file);
}
